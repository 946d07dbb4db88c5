import { type Admitted, admit } from '../../src/worker/admission.ts';

/** What every call has. */
const CALL = { machine: 'm', start: 1_650_000_000, scustomer: 1 };
const CREDENTIALS = { auth_username: 'switch', auth_password: 'right' };
const PROPERTIES = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};

/**
 * A message as a worker admits it: a call, or a correction where its delivery says so. As `admitted` in
 * test/support/persisting.ts, which runs inside Vitest only.
 */
export function submission(
  parameters: Record<string, unknown>,
  delivery: { routingKey?: string; messageId?: string } = {},
): Admitted {
  const required = delivery.routingKey === undefined ? { ...CREDENTIALS, ...CALL } : CREDENTIALS;
  const body = Buffer.from(JSON.stringify({ ...required, ...parameters }));
  return admit(
    { body, bytes: body.length, properties: { ...PROPERTIES, ...delivery } },
    {
      maxBodyBytes: 65_536,
      keptBodyBytes: 4096,
      ignored: new Set(),
      systemCurrency: 'USD',
      verify: (username, password) =>
        password === 'right'
          ? { kind: 'ok', username, role: username === 'shop' ? 'commerce' : 'system' }
          : { kind: 'unauthenticated' },
    },
  ) as Admitted;
}
