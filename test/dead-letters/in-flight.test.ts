import { expect, it } from 'vitest';
import { InFlight } from '../../src/dead-letters/in-flight.ts';

function sent(count: number): InFlight {
  const inFlight = new InFlight();
  for (let id = 1; id <= count; id += 1) inFlight.add({ id: String(id), attempt: id * 10 });
  return inFlight;
}
const idsOf = (attempts: readonly { id: string }[]) => attempts.map(({ id }) => id).join(' ');

it('the oldest attempts are looked at first, and again while most of those before them are finished', () => {
  const inFlight = sent(8);
  const looked = inFlight.next(4);
  expect(looked[0]).toEqual({ id: '1', attempt: 10 });
  inFlight.finish(looked, new Set(['2', '4']));
  expect(idsOf(inFlight.next(4))).toBe('2 4 5 6');
  expect(inFlight.size).toBe(6);
});

it('those that workers hold back go last, so that they do not hide what is finished', () => {
  const inFlight = sent(8);
  const looked = inFlight.next(4);
  inFlight.finish(looked, new Set(['1', '3', '4']));
  expect(idsOf(inFlight.next(8))).toBe('5 6 7 8 1 3 4');
  expect(inFlight.size).toBe(7);
});
