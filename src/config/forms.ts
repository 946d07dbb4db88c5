import { isIP } from 'node:net';
import * as z from 'zod';
import { isTakenExchange } from '../domain/own-exchanges.ts';

/** The values that a variable takes, and how they are described to people. */
export interface Form<Schema extends z.ZodType> {
  schema: Schema;
  expected: string;
}

export function urlOf(...protocols: string[]) {
  return z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol));
}

export function list() {
  return z.string().transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
}

function numberForm(min: number, max: number, what: string) {
  const schema = z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
  return { schema, expected: `${what} from ${min} to ${max}` };
}

export function wholeNumber(min: number, max: number) {
  return numberForm(min, max, 'a whole number');
}

export function bytes(min: number, max: number) {
  return numberForm(min, max, 'a number of bytes');
}

export function milliseconds(min: number, max: number) {
  return numberForm(min, max, 'milliseconds');
}

export function port() {
  return numberForm(0, 65_535, 'a port');
}

export function certificates() {
  return pem('CERTIFICATE', 'certificates');
}

export function privateKey() {
  return pem('(?:[A-Z]+ )?PRIVATE KEY', 'a private key without a passphrase');
}

/** Empty text becomes undefined. */
function pem(label: string, what: string) {
  const block = new RegExp(`-----BEGIN ${label}-----[\\s\\S]+-----END ${label}-----`);
  const schema = z
    .string()
    .refine((text) => text === '' || block.test(text))
    .transform((text) => text || undefined);
  return { schema, expected: `${what} in PEM format (…_FILE names a file)` };
}

/** An address, or an address with a prefix length. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 6 ? 128 : 32));
}

export function pattern(text: string, context: z.RefinementCtx): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    context.addIssue({ code: 'custom', message: 'not a regular expression' });
    return z.NEVER;
  }
}

/** AMQP's names have up to 255 bytes. One of this system's own exchanges would take its own messages in. */
export function isOthersExchange(name: string): boolean {
  return Buffer.byteLength(name) <= 255 && !/\p{Cc}/u.test(name) && !isTakenExchange(name);
}
