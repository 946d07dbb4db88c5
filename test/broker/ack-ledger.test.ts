import { describe, expect, it } from 'vitest';
import { createAckLedger, PATIENCE_MS } from '../../src/broker/ack-ledger.ts';

function ledgerOf(count: number, mayWait = 0, now = () => 0) {
  const ledger = createAckLedger(mayWait, now);
  for (let tag = 1; tag <= count; tag += 1) ledger.delivered(tag, 10);
  return ledger;
}

describe('the ledger of acknowledgements', () => {
  it('covers a settled batch with one frame', () => {
    const ledger = ledgerOf(100);
    for (let tag = 1; tag <= 60; tag += 1) ledger.ack(tag);
    expect(ledger.due()).toEqual([{ tag: 60, multiple: true }]);
    expect(ledger.due()).toEqual([]);
    expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([40, 400]);
  });

  it('acknowledges one by one what was settled past an unsettled delivery, and never that one', () => {
    const ledger = ledgerOf(6);
    for (const tag of [1, 2, 4, 6]) ledger.ack(tag);
    expect(ledger.due()).toEqual([
      { tag: 2, multiple: true },
      { tag: 4, multiple: false },
      { tag: 6, multiple: false },
    ]);
    ledger.ack(3);
    // 4 is gone already: the frame has to name a delivery that the broker still knows.
    expect(ledger.due()).toEqual([{ tag: 3, multiple: true }]);
    ledger.ack(5);
    expect(ledger.due()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('lets a few that were settled out of turn wait for the one before them', () => {
    const ledger = ledgerOf(10, 3);
    for (const tag of [2, 3, 4]) ledger.ack(tag);
    expect(ledger.due()).toEqual([]);
    expect(ledger.withheld).toBe(3);
    ledger.ack(1);
    expect(ledger.due()).toEqual([{ tag: 4, multiple: true }]);
    expect(ledger.withheld).toBe(0);
    for (const tag of [6, 7, 8, 9]) ledger.ack(tag);
    expect(ledger.due().map(({ tag }) => tag)).toEqual([6, 7, 8, 9]);
    ledger.ack(5);
    expect(ledger.due()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('acknowledges everything that is settled where it is told to', () => {
    const ledger = ledgerOf(3, 3);
    ledger.ack(3);
    expect(ledger.due()).toEqual([]);
    expect(ledger.due(true)).toEqual([{ tag: 3, multiple: false }]);
    expect(ledger.due(true)).toEqual([]);
  });

  it('lets nothing wait for a slow delivery for longer than its patience, and not again while that one is open', () => {
    let now = 0;
    const ledger = ledgerOf(9, 100, () => now);
    ledger.ack(4);
    expect(ledger.due()).toEqual([]);
    now = PATIENCE_MS - 1;
    ledger.ack(5);
    expect(ledger.due()).toEqual([]);
    now = PATIENCE_MS;
    expect(ledger.due().map(({ tag }) => tag)).toEqual([4, 5]);
    ledger.ack(6);
    expect(ledger.due()).toEqual([{ tag: 6, multiple: false }]);
    // 1 is done, 2 and 3 were overtaken with it.
    ledger.ack(1);
    ledger.ack(7);
    expect(ledger.due()).toEqual([
      { tag: 1, multiple: true },
      { tag: 7, multiple: false },
    ]);
    ledger.ack(2);
    ledger.ack(3);
    expect(ledger.due()).toEqual([{ tag: 3, multiple: true }]);
    // 8 has not been overtaken yet: a batch answered out of turn waits again.
    ledger.ack(9);
    expect(ledger.due()).toEqual([]);
    ledger.ack(8);
    expect(ledger.due()).toEqual([{ tag: 9, multiple: true }]);
  });

  it('forgets a delivery that is answered in another way, once', () => {
    const ledger = ledgerOf(3);
    expect(ledger.takeOut(1)).toBe(true);
    expect(ledger.takeOut(1)).toBe(false);
    ledger.ack(1);
    expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([2, 20]);
    ledger.ack(2);
    expect(ledger.due()).toEqual([{ tag: 2, multiple: true }]);
  });

  it('counts a delivery once, however often it is settled', () => {
    const ledger = ledgerOf(2);
    ledger.ack(1);
    ledger.ack(1);
    ledger.ack(7);
    expect(ledger.inFlight).toBe(1);
    expect(ledger.due()).toEqual([{ tag: 1, multiple: true }]);
    ledger.ack(1);
    expect(ledger.due()).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'acknowledges each settled delivery once and no other, and lets none wait for a stuck one (seed %i)',
    (first) => {
      let seed = first * 7919;
      const random = () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      let now = 0;
      const mayWait = Math.floor(random() * 40);
      const ledger = createAckLedger(mayWait, () => now);
      const stuck = new Set<number>();
      const outstanding = new Set<number>();
      const settled = new Set<number>();
      const withheldAt = new Map<number, number>();
      const counts = new Map<number, number>();
      let last = 0;

      /** As a broker would: the named tag must be outstanding, and all that it covers must be settled. */
      const flush = (everything: boolean) => {
        for (const ack of ledger.due(everything)) {
          expect(outstanding.has(ack.tag)).toBe(true);
          for (const tag of ack.multiple ? [...outstanding].filter((one) => one <= ack.tag) : [ack.tag]) {
            expect(settled.has(tag)).toBe(true);
            counts.set(tag, (counts.get(tag) ?? 0) + 1);
            outstanding.delete(tag);
          }
        }
        const waiting = [...outstanding].filter((tag) => settled.has(tag));
        expect(waiting.length).toBeLessThanOrEqual(everything ? 0 : mayWait);
        for (const tag of waiting) {
          if (!withheldAt.has(tag)) withheldAt.set(tag, now);
          expect(now - (withheldAt.get(tag) ?? 0)).toBeLessThan(PATIENCE_MS);
        }
        expect(ledger.withheld).toBe(waiting.length);
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
          const open = [...outstanding].filter((tag) => !settled.has(tag) && !stuck.has(tag)).slice(0, 30);
          const tag = open[Math.floor(random() * open.length)];
          if (tag === undefined) continue;
          ledger.ack(tag);
          settled.add(tag);
        } else if (choice < 0.92) {
          const [tag] = stuck;
          if (tag === undefined || !outstanding.has(tag)) continue;
          // What was slow is settled in the end, or refused.
          stuck.delete(tag);
          if (random() < 0.5) {
            expect(ledger.takeOut(tag)).toBe(true);
            outstanding.delete(tag);
          }
        } else flush(random() < 0.1);
        if (ledger.withheld > 0 || step % 5 === 0) flush(false);
      }
      flush(true);
      const unsettled = [...outstanding];
      expect(unsettled.every((tag) => !settled.has(tag))).toBe(true);
      expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([unsettled.length, unsettled.length]);
      expect([...counts.values()].every((count) => count === 1)).toBe(true);
      expect(counts.size).toBe(settled.size);
    },
  );
});
