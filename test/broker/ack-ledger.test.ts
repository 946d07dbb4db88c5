import { describe, expect, it } from 'vitest';
import { createAckLedger } from '../../src/broker/ack-ledger.ts';

function ledgerOf(count: number, mayWait = 0) {
  const ledger = createAckLedger(mayWait);
  for (let tag = 1; tag <= count; tag += 1) ledger.delivered(tag, 10);
  return ledger;
}

describe('the ledger of acknowledgements', () => {
  it('covers a settled batch with one frame', () => {
    const ledger = ledgerOf(100);
    for (let tag = 1; tag <= 60; tag += 1) ledger.settled(tag);
    expect(ledger.due()).toEqual([{ tag: 60, multiple: true }]);
    expect(ledger.due()).toEqual([]);
    expect([ledger.inFlight, ledger.inFlightBytes]).toEqual([40, 400]);
  });

  it('acknowledges one by one what was settled past an unsettled delivery, and never that one', () => {
    const ledger = ledgerOf(6);
    for (const tag of [1, 2, 4, 6]) ledger.settled(tag);
    expect(ledger.due()).toEqual([
      { tag: 2, multiple: true },
      { tag: 4, multiple: false },
      { tag: 6, multiple: false },
    ]);
    ledger.settled(3);
    // 4 is gone already: the frame has to name a delivery that the broker still knows.
    expect(ledger.due()).toEqual([{ tag: 3, multiple: true }]);
    ledger.settled(5);
    expect(ledger.due()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('lets a few that were settled out of turn wait for the one before them', () => {
    const ledger = ledgerOf(10, 3);
    for (const tag of [2, 3, 4]) ledger.settled(tag);
    expect(ledger.due()).toEqual([]);
    ledger.settled(1);
    expect(ledger.due()).toEqual([{ tag: 4, multiple: true }]);
    for (const tag of [6, 7, 8, 9]) ledger.settled(tag);
    expect(ledger.due().map(({ tag }) => tag)).toEqual([6, 7, 8, 9]);
    ledger.settled(10);
    expect(ledger.due()).toEqual([]);
    expect(ledger.due(true)).toEqual([{ tag: 10, multiple: false }]);
    ledger.settled(5);
    expect(ledger.due()).toEqual([{ tag: 5, multiple: true }]);
  });

  it('counts a delivery once, however often it is settled', () => {
    const ledger = ledgerOf(2);
    ledger.settled(1);
    ledger.settled(1);
    ledger.settled(7);
    expect(ledger.inFlight).toBe(1);
    expect(ledger.due()).toEqual([{ tag: 1, multiple: true }]);
    ledger.settled(1);
    expect(ledger.due()).toEqual([]);
  });

  it('never acknowledges what is not settled, in whatever order settling and flushing come', () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const ledger = createAckLedger(5);
    const outstanding = new Set<number>();
    const settled = new Set<number>();
    let last = 0;
    for (let step = 0; step < 4_000; step += 1) {
      if (random() < 0.5) {
        last += 1;
        ledger.delivered(last, 1);
        outstanding.add(last);
      } else if (random() < 0.9) {
        const open = [...outstanding].filter((tag) => !settled.has(tag)).slice(0, 30);
        const tag = open[Math.floor(random() * open.length)];
        if (tag === undefined) continue;
        ledger.settled(tag);
        settled.add(tag);
      } else {
        const everything = random() < 0.3;
        for (const ack of ledger.due(everything)) {
          // As a broker would: the named tag must be outstanding, and all that it covers must be settled.
          expect(outstanding.has(ack.tag)).toBe(true);
          for (const tag of ack.multiple ? [...outstanding].filter((one) => one <= ack.tag) : [ack.tag]) {
            expect(settled.has(tag)).toBe(true);
            outstanding.delete(tag);
          }
        }
        const waiting = [...outstanding].filter((tag) => settled.has(tag));
        expect(waiting.length).toBeLessThanOrEqual(everything ? 0 : 5);
      }
    }
  });
});
