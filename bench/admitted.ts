import { type Admitted, admit } from '../src/worker/admission.ts';
import { sender } from './workload.ts';

const rules = {
  maxBodyBytes: 65_536,
  keptBodyBytes: 4096,
  ignored: new Set<string>(),
  systemCurrency: 'USD',
  verify: () => ({ kind: 'ok' as const, username: sender.username, role: 'system' }),
};
const properties = {
  contentType: 'application/json',
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};

/** Reads and checks a message as the worker does, with a verifier that accepts every sender. */
export function admitted(body: Buffer, replyTo: string | null = null): Admitted {
  const result = admit({ body, bytes: body.length, properties: { ...properties, replyTo } }, rules);
  if (result instanceof Promise) throw new Error('this verifier answers at once');
  return result;
}
