import type { AuthResult } from '../../src/auth/verifier.ts';
import { deadLetterOfBytes, minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import type { DeadReason } from '../../src/domain/outcome.ts';
import { type Admitted, admit } from '../../src/worker/admission.ts';
import type { Request } from '../../src/worker/request.ts';
import { NAMED_INVOICE, PERIOD } from './billing.ts';
import { CorrectionHistory } from './correction-history.ts';
import type { Draft, Expectation, Fields } from './draft.ts';
import { GONE_QUEUE, MALFORMED_DIRECT } from './fake-broker.ts';
import { POISON, STUBBORN, UNKEEPABLE, UNKEEPABLE_FOR_NOW, UNREADABLE } from './fake-database.ts';
import type { Random } from './random.ts';

export interface Submitted {
  id: string;
  request: Request;
  uniqueid: string | null;
  /** Of the dead letter that the message leaves if it is refused. */
  digest: string;
  /** Of the one that it leaves if its body is not even parsed. */
  plainDigest: string;
  /** Of the one of its bytes alone. */
  minimalDigest: string;
  expectation: Expectation;
}

export const ADMISSION = {
  maxBodyBytes: 10_000,
  keptBodyBytes: 4096,
  ignored: new Set<string>(),
  systemCurrency: 'USD',
};
/** A message with this in its body ends every process that reads it. */
export const LETHAL = 'lethal';

const REPLY_TO = [
  null,
  null,
  'cdrs.reply.switch',
  'kamailio-1',
  'amq.rabbitmq.reply-to.token',
  GONE_QUEUE,
  MALFORMED_DIRECT,
  'cdrs.create',
] as const;

const ROLES: Readonly<Record<string, 'viewer' | 'commerce'>> = { auditor: 'viewer', shop: 'commerce' };

/** Who may submit calls in every simulated world, and who may correct them. */
export function judge(username: string, password: string): AuthResult {
  if (password !== 'right' || username === 'nobody') return { kind: 'unauthenticated' };
  return { kind: 'ok', username, role: ROLES[username] ?? 'system' };
}

/** Everything that a run's switches send: mostly good calls, and every kind of trouble among them. */
export function writeHistory(random: Random, length: number): Submitted[] {
  const good: Fields[] = [];
  const corrections = new CorrectionHistory(random);
  return Array.from({ length }, (_, index) => {
    if (corrections.isNext(index)) {
      const uniqueids = good.map(({ uniqueid }) => String(uniqueid));
      return submit(random, `m${index}`, corrections.next(index, uniqueids));
    }
    const fresh = call(random, `u${index}`);
    // Often the last one: two workers then have the same uniqueid in hand at once.
    const earlier = good[random.chance(0.7) ? good.length - 1 : random.between(0, good.length - 1)] ?? fresh;
    const isGood = good.length === 0 || random.chance(0.4);
    const draft = isGood ? asCall(fresh) : troubled(random, fresh, earlier);
    if (isGood) good.push(fresh);
    return submit(random, `m${index}`, draft);
  });
}

/** Half of all calls are the hot customer's. */
function call(random: Random, uniqueid: string): Fields {
  const scustomer = random.pick([1, 1, 1, 2, NAMED_INVOICE.customer]);
  return {
    auth_username: random.pick(['switch', 'gateway']),
    auth_password: 'right',
    uniqueid,
    machine: 'm',
    start: random.between(PERIOD.start, PERIOD.end - 1),
    scustomer,
    cost: random.pick(['0', '1.5', '0.333333', '-2', '1000000']),
    currency: random.pick(['USD', 'EUR', 'JPY']),
    taxes: random.pick(['', '1', 'VAT,levy']),
    invoice: scustomer === NAMED_INVOICE.customer && random.chance(0.5) ? NAMED_INVOICE.id : 0,
    peer: random.pick([0, 1]),
    update_balance: random.pick([1, 1, 1, 0]),
    update_invoices: random.pick([1, 1, 0]),
  };
}

function asCall(body: Fields): Draft {
  return { body, expected: 'call' };
}

function refused(body: Fields | string, code: string, ...reasons: DeadReason[]): Draft {
  return { body, expected: { kind: 'refused', code, reasons } };
}

function question(body: Fields, ...codes: string[]): Draft {
  return { body: { ...body, validation: 1 }, expected: { kind: 'question', codes } };
}

function troubled(random: Random, fresh: Fields, earlier: Fields): Draft {
  const drafts: [() => Draft, ...(() => Draft)[]] = [
    () => asCall(earlier),
    () => asCall(earlier),
    () => asCall(writtenDifferently(earlier)),
    () => asCall({ ...earlier, snumber: random.pick(['1', '2']) }),
    () => asCall({ ...earlier, snumber: random.pick(['1', '2']) }),
    () => refused({ ...fresh, start: undefined }, '400', 'rejected'),
    () => refused({ ...fresh, scustomer: 99 }, '400', 'rejected'),
    () => refused(`{"uniqueid": ${random.between(1, 9)},`, '400', 'rejected'),
    () => refused({ ...earlier, auth_password: 'wrong' }, '401', 'unauthenticated'),
    () => refused({ ...fresh, auth_username: 'nobody' }, '401', 'unauthenticated'),
    () => refused({ ...fresh, auth_username: random.pick(['auditor', 'shop']) }, '402', 'forbidden'),
    () => refused({ ...fresh, note: POISON }, '400', 'failed'),
    () => refused({ ...fresh, start: UNKEEPABLE }, '400', 'failed'),
    () => refused({ ...fresh, start: UNREADABLE }, '400', 'failed'),
    () => refused({ ...fresh, note: STUBBORN }, '400', 'failed'),
    () => question(fresh, '201'),
    // Another content of the same uniqueid may have been stored first.
    () => question(earlier, '201', '400'),
    () => question({ ...earlier, snumber: '3' }, '201', '400'),
    () => question({ ...fresh, scustomer: 98 }, '400'),
    () => (random.chance(0.3) ? asCall({ ...fresh, note: LETHAL }) : asCall(fresh)),
    () =>
      random.chance(0.3)
        ? refused({ ...fresh, start: UNKEEPABLE_FOR_NOW }, '400', 'failed', 'rejected')
        : asCall(fresh),
  ];
  return random.pick(drafts)();
}

/** The same content in other words: every number as text, every parameter in another place. */
function writtenDifferently(fields: Fields): Fields {
  const entries = Object.entries(fields).reverse();
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function submit(random: Random, id: string, draft: Draft): Submitted {
  const { body, operation = 'create', messageId = id } = draft;
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const properties = {
    contentType: 'application/json',
    replyTo: random.pick(REPLY_TO),
    correlationId: operation === 'create' ? null : id,
    messageId,
    routingKey: `cdrs.${operation}`,
  };
  const request: Request = { body: bytes, bytes: bytes.length, properties };
  const admitted = admit(request, { ...ADMISSION, verify: judge }) as Admitted;
  const { uniqueid, deadLetter } = admitted;
  const minimalDigest = minimalDeadLetter(bytes, bytes.length).digest;
  const plainDigest = deadLetterOfBytes(request, {}, properties, ADMISSION.keptBodyBytes).digest;
  const expectation = expectationOf(draft, admitted);
  return { id, request, uniqueid, digest: deadLetter().digest, plainDigest, minimalDigest, expectation };
}

function expectationOf({ expected, messageId, body }: Draft, admitted: Admitted): Expectation {
  if (expected === 'call')
    return { kind: 'call', fingerprint: admitted.kind === 'call' ? admitted.call.fingerprint : 'not a call' };
  if (expected !== 'correction') return expected;
  const isCorrection = admitted.kind === 'correction';
  return {
    kind: 'correction',
    entry: messageId ?? '',
    fingerprint: isCorrection ? admitted.correction.fingerprint : 'not a correction',
    customer: typeof body === 'string' ? undefined : body.customer,
  };
}
