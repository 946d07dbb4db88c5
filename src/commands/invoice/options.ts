import { ConfigError } from '../../config.ts';
import { INTEGER_MAX } from '../../domain/contract.ts';
import type { SessionSettings } from '../database.ts';

/** The database session of the `invoice` commands. */
export const invoiceSession: SessionSettings = { name: 'invoice', poolSize: 2, statementTimeoutMs: 120_000 };

/** An ID as it was typed. Throws ConfigError. */
export function idIn(name: 'customer' | 'invoice', text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const id = Number(text);
  if (/^\d{1,10}$/.test(text) && id <= INTEGER_MAX) return id;
  throw new ConfigError(`--${name}: expected an ID, got ${JSON.stringify(text)}`);
}
