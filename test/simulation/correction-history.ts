import type { Draft, Fields } from './draft.ts';
import type { Random } from './random.ts';

const SHOP = { auth_username: 'shop', auth_password: 'right' };
/** Updates name it in vain. */
export const NO_CUSTOMER = 97;

/** A correction that has been sent, to be sent again. */
interface Sent {
  body: Fields;
  operation: 'update' | 'void';
  messageId: string;
}

/** What the shop sends beside the switches: corrections of calls, before they come, on their heels, or long after. */
export class CorrectionHistory {
  readonly #random: Random;
  readonly #sent: Sent[] = [];
  /** Index of the latest. */
  #latest = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether the next message is a correction: more often behind another, so that two workers have them in hand at once. */
  isNext(index: number): boolean {
    return this.#random.chance(this.#latest === index - 1 ? 0.6 : 0.2);
  }

  /**
   * @param index of the message
   * @param calls the uniqueids of the calls so far
   */
  next(index: number, calls: readonly string[]): Draft {
    const random = this.#random;
    const latest = this.#sent.at(-1);
    const uniqueid = this.#whose(index, calls);
    const operation = random.pick(['update', 'update', 'void'] as const);
    const fresh = this.#correction(index, operation, uniqueid);
    const isBehind = this.#latest === index - 1;
    this.#latest = index;
    if (isBehind && latest !== undefined && random.chance(0.7))
      return this.#send(this.#correction(index, operation, latest.body.uniqueid));
    const drafts: [() => Draft, ...(() => Draft)[]] = [
      () => this.#send(fresh),
      () => this.#send(fresh),
      () => this.#send(fresh),
      () => this.#send(latest ?? fresh),
      () => this.#send(latest === undefined ? fresh : inOtherWords(latest)),
      () => this.#send(latest === undefined ? fresh : { ...fresh, messageId: latest.messageId }),
      // Two at once on one call.
      () =>
        this.#send(latest === undefined ? fresh : this.#correction(index, operation, latest.body.uniqueid)),
      () => refused(fresh, { ...fresh.body, auth_password: 'wrong' }, '401', 'unauthenticated'),
      () => refused(fresh, { ...fresh.body, auth_username: 'switch' }, '402', 'forbidden'),
      () => refused({ ...fresh, messageId: null }, fresh.body, '400', 'rejected'),
      () => refused(fresh, { ...fresh.body, talktime: 1 }, '400', 'rejected'),
    ];
    return random.pick(drafts)();
  }

  /** Mostly of one of the latest calls; now and then of one that comes later, or never. */
  #whose(index: number, calls: readonly string[]): string {
    const random = this.#random;
    if (calls.length === 0 || random.chance(0.1)) return `u${index + random.between(1, 3)}`;
    const recent = random.chance(0.7) ? Math.min(2, calls.length) : calls.length;
    return calls[calls.length - random.between(1, recent)] ?? '';
  }

  #correction(index: number, operation: 'update' | 'void', uniqueid: unknown): Sent {
    const changes = operation === 'void' ? {} : this.#changes();
    return { operation, messageId: `c${index}`, body: { ...SHOP, uniqueid, ...changes } };
  }

  #changes(): Fields {
    const random = this.#random;
    return random.pick<Fields>([
      { cost: random.pick(['0', '0.5', '-7.000001', '123456.789']) },
      { cost: '3', currency: random.pick(['USD', 'EUR', 'JPY']) },
      { taxes: random.pick(['', '1', 'VAT,levy']) },
      { customer: random.pick([1, 2, 3]) },
      { customer: random.pick([1, 2, 3]), cost: '0.25' },
      { customer: NO_CUSTOMER },
      { messages: random.between(0, 5) },
      { messages: 1, time: 60 },
    ]);
  }

  #send(sent: Sent): Draft {
    this.#sent.push(sent);
    return { expected: 'correction', ...sent };
  }
}

function refused(
  sent: Omit<Sent, 'messageId'> & { messageId: string | null },
  body: Fields,
  code: string,
  reason: 'rejected' | 'unauthenticated' | 'forbidden',
): Draft {
  return { ...sent, body, expected: { kind: 'refused', code, reasons: [reason] } };
}

/** The same content with its parameters in another order. */
function inOtherWords({ body, ...sent }: Sent): Sent {
  return { ...sent, body: Object.fromEntries(Object.entries(body).reverse()) };
}
