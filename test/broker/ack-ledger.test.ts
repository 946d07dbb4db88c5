import { describe, expect, it } from 'vitest';
import { createAckLedger, GATHER_MS, PATIENCE_MS } from '../../src/broker/ack-ledger.ts';

function ledgerOf(count: number, withheldMax = 0, now = () => 0) {
  const ledger = createAckLedger(withheldMax, now);
  for (let tag = 1; tag <= count; tag += 1) ledger.delivered(tag, 10);
  return ledger;
}

describe('the ack ledger', () => {
  it('acknowledges a whole batch with one frame', () => {
    const ledger = ledgerOf(100);
    for (let tag = 1; tag <= 60; tag += 1) ledger.done(tag);
    expect(ledger.flush()).toEqual([{ tag: 60, multiple: true }]);
    expect(ledger.flush()).toEqual([]);
    expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([40, 400]);
  });

  it('knows since when the oldest delivery in flight is there, whatever is done before it', () => {
    let now = 0;
    const ledger = createAckLedger(10, () => now);
    expect(ledger.oldestSince).toBeNull();
    for (const [tag, at] of [
      [1, 100],
      [2, 250],
      [3, 300],
    ] as const) {
      now = at;
      ledger.delivered(tag, 10);
    }
    ledger.done(2);
    expect(ledger.oldestSince).toBe(100);
    ledger.done(1);
    expect(ledger.oldestSince).toBe(300);
    ledger.done(3);
    expect(ledger.oldestSince).toBeNull();
  });

  it('acknowledges one by one what is done above a delivery in flight, and never that one', () => {
    const ledger = ledgerOf(6);
    for (const tag of [1, 2, 4, 6]) ledger.done(tag);
    expect(ledger.flush()).toEqual([
      { tag: 2, multiple: true },
      { tag: 4, multiple: false },
      { tag: 6, multiple: false },
    ]);
    ledger.done(3);
    // 4 is acknowledged already: the frame has to name a delivery that the broker still knows.
    expect(ledger.flush()).toEqual([{ tag: 3, multiple: true }]);
    ledger.done(5);
    expect(ledger.flush()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('gathers a few briefly, and sends at once when half of the window is done', () => {
    let now = 0;
    const ledger = ledgerOf(20, 5, () => now);
    for (const tag of [1, 2]) ledger.done(tag);
    expect([ledger.flush(), ledger.waiting]).toEqual([[], 2]);
    now = GATHER_MS - 1;
    ledger.done(3);
    expect(ledger.flush()).toEqual([]);
    now = GATHER_MS;
    expect([ledger.flush(), ledger.waiting]).toEqual([[{ tag: 3, multiple: true }], 0]);
    // What comes later waits from then on.
    now = 2 * GATHER_MS;
    ledger.done(4);
    expect(ledger.flush()).toEqual([]);
    for (const tag of [5, 6, 7, 8]) ledger.done(tag);
    expect(ledger.flush()).toEqual([{ tag: 8, multiple: true }]);
  });

  it('gathers no more than a hundred, however large the window is', () => {
    const ledger = ledgerOf(300, 750);
    for (let tag = 1; tag <= 99; tag += 1) ledger.done(tag);
    expect(ledger.flush()).toEqual([]);
    ledger.done(100);
    expect(ledger.flush()).toEqual([{ tag: 100, multiple: true }]);
  });

  it('does not gather with a prefetch of one: nothing else could be delivered meanwhile', () => {
    const ledger = ledgerOf(1, 1 / 2);
    ledger.done(1);
    expect(ledger.flush()).toEqual([{ tag: 1, multiple: true }]);
  });

  it('withholds a few that are done out of order until the one before them is done', () => {
    let now = 0;
    const ledger = ledgerOf(10, 3, () => now);
    for (const tag of [2, 3, 4]) ledger.done(tag);
    expect(ledger.flush()).toEqual([]);
    expect(ledger.waiting).toBe(3);
    ledger.done(1);
    expect(ledger.flush()).toEqual([{ tag: 4, multiple: true }]);
    expect(ledger.waiting).toBe(0);
    for (const tag of [6, 7, 8, 9]) ledger.done(tag);
    expect(ledger.flush().map(({ tag }) => tag)).toEqual([6, 7, 8, 9]);
    ledger.done(5);
    now = GATHER_MS;
    expect(ledger.flush()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('acknowledges everything that is done on request', () => {
    const ledger = ledgerOf(3, 3);
    ledger.done(3);
    expect(ledger.flush()).toEqual([]);
    expect(ledger.flush(true)).toEqual([{ tag: 3, multiple: false }]);
    expect(ledger.flush(true)).toEqual([]);
  });

  it('withholds nothing for longer than its patience, and nothing more while the slow delivery is in flight', () => {
    let now = 0;
    const ledger = ledgerOf(9, 100, () => now);
    ledger.done(4);
    expect(ledger.flush()).toEqual([]);
    now = PATIENCE_MS - 1;
    ledger.done(5);
    expect(ledger.flush()).toEqual([]);
    now = PATIENCE_MS;
    expect(ledger.flush().map(({ tag }) => tag)).toEqual([4, 5]);
    const later = () => {
      now += GATHER_MS;
      return ledger.flush();
    };
    ledger.done(6);
    expect(later()).toEqual([{ tag: 6, multiple: false }]);
    // 1 is done, 2 and 3 were overtaken with it.
    ledger.done(1);
    ledger.done(7);
    expect(later()).toEqual([
      { tag: 1, multiple: true },
      { tag: 7, multiple: false },
    ]);
    ledger.done(2);
    ledger.done(3);
    expect(later()).toEqual([{ tag: 3, multiple: true }]);
    // 8 has not been overtaken yet: what is done out of order is withheld again.
    ledger.done(9);
    expect(later()).toEqual([]);
    ledger.done(8);
    expect(later()).toEqual([{ tag: 9, multiple: true }]);
  });

  it('forgets a delivery that is rejected, once', () => {
    const ledger = ledgerOf(3);
    expect(ledger.remove(1)).toBe(true);
    expect(ledger.remove(1)).toBe(false);
    ledger.done(1);
    expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([2, 20]);
    ledger.done(2);
    expect(ledger.flush()).toEqual([{ tag: 2, multiple: true }]);
  });

  it('counts a delivery once, however often it is done', () => {
    const ledger = ledgerOf(2);
    ledger.done(1);
    ledger.done(1);
    ledger.done(7);
    expect(ledger.inFlight).toBe(1);
    expect(ledger.flush()).toEqual([{ tag: 1, multiple: true }]);
    ledger.done(1);
    expect(ledger.flush()).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'acknowledges each delivery that is done once and no other, and none waits for a stuck one (seed %i)',
    (first) => {
      let seed = first * 7919;
      const random = () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      let now = 0;
      const withheldMax = Math.floor(random() * 40);
      const ledger = createAckLedger(withheldMax, () => now);
      const stuck = new Set<number>();
      const outstanding = new Set<number>();
      const done = new Set<number>();
      const withheldAt = new Map<number, number>();
      const counts = new Map<number, number>();
      let last = 0;

      /** As a broker would: the tag must be outstanding, and everything that it covers must be done. */
      const flush = (everything: boolean) => {
        for (const ack of ledger.flush(everything)) {
          expect(outstanding.has(ack.tag)).toBe(true);
          for (const tag of ack.multiple ? [...outstanding].filter((one) => one <= ack.tag) : [ack.tag]) {
            expect(done.has(tag)).toBe(true);
            counts.set(tag, (counts.get(tag) ?? 0) + 1);
            outstanding.delete(tag);
          }
        }
        const waiting = [...outstanding].filter((tag) => done.has(tag));
        expect(waiting.length).toBeLessThanOrEqual(everything ? 0 : withheldMax);
        for (const tag of waiting) {
          if (!withheldAt.has(tag)) withheldAt.set(tag, now);
          expect(now - (withheldAt.get(tag) ?? 0)).toBeLessThan(PATIENCE_MS);
        }
        expect(ledger.waiting).toBe(waiting.length);
      };

      for (let step = 0; step < 2_000; step += 1) {
        now += random() * 3;
        const choice = random();
        if (choice < 0.5) {
          last += 1;
          ledger.delivered(last, 1);
          outstanding.add(last);
          if (random() < 0.03) stuck.add(last);
        } else if (choice < 0.9) {
          const open = [...outstanding].filter((tag) => !done.has(tag) && !stuck.has(tag)).slice(0, 30);
          const tag = open[Math.floor(random() * open.length)];
          if (tag === undefined) continue;
          ledger.done(tag);
          done.add(tag);
        } else if (choice < 0.92) {
          const [tag] = stuck;
          if (tag === undefined || !outstanding.has(tag)) continue;
          // A slow delivery is done in the end, or rejected.
          stuck.delete(tag);
          if (random() < 0.5) {
            expect(ledger.remove(tag)).toBe(true);
            outstanding.delete(tag);
          }
        } else flush(random() < 0.1);
        if (ledger.waiting > 0 || step % 5 === 0) flush(false);
      }
      flush(true);
      const inFlight = [...outstanding];
      expect(inFlight.every((tag) => !done.has(tag))).toBe(true);
      expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([inFlight.length, inFlight.length]);
      expect([...counts.values()].every((count) => count === 1)).toBe(true);
      expect(counts.size).toBe(done.size);
    },
  );
});
