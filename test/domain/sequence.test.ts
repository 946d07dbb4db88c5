import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gapsIn, type HeardNumbers, inOrder, type Novelty, type Run } from '../../src/domain/sequence.ts';
import { countNumbers, GAP_KEPT_MS, GAP_OPEN_MS, GAPS_MAX } from '../../src/domain/sequence-bounds.ts';

const NOW = 1_790_000_000_000;
const HOUR = 3_600_000;

/** "1-4,7" as numbers. */
function numbers(text: string, novelty: Novelty = 'new'): HeardNumbers[] {
  return text.split(',').map((range) => {
    const [first = '', last = first] = range.split('-');
    return { first: BigInt(first), last: BigInt(last), novelty };
  });
}

function add(runs: readonly Run[], text: string, novelty: Novelty = 'new', now = NOW): Run[] {
  const counted = countNumbers(runs, numbers(text, novelty), now);
  if (counted === undefined) throw new Error('expected a count of records');
  return counted;
}

/** The runs of each epoch, as text: the newest epoch last. */
function shown(runs: readonly Run[]): string[] {
  const epochs = new Map<number, string[]>();
  for (const { epoch, first, last } of inOrder(runs))
    epochs.set(epoch, [...(epochs.get(epoch) ?? []), first === last ? `${first}` : `${first}-${last}`]);
  return [...epochs.values()].map((texts) => texts.join(','));
}

const gaps = (runs: readonly Run[], now = NOW, openMs = 0) =>
  gapsIn(runs, now, openMs).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));

describe('runs of a feed’s own counter', () => {
  it.each([
    ['the next number', '5', ['1-5']],
    ['a number further on', '7', ['1-4,7']],
    ['a number that is there already', '2', ['1-4']],
    ['numbers that are there in part', '3-8', ['1-8']],
  ])('take %s', (_, text, expected) => {
    expect(shown(add(add([], '1-4'), text, 'unknown'))).toEqual(expected);
  });

  it('become one when what was missing between them comes, whatever its outcome', () => {
    for (const novelty of ['new', 'unknown', 'again'] as const) {
      const runs = add(add([], '1-4,9-12'), '5-8', novelty);
      expect(shown(runs)).toEqual(['1-12']);
      expect(gaps(runs)).toEqual([]);
    }
  });

  it('begin with what is heard first: nothing is missing before it', () => {
    expect(gaps(add(add([], '500-510'), '511'))).toEqual([]);
    expect(gaps(add(add([], '500-510'), '499'))).toEqual([]);
  });

  it('do not begin with a number that is delivered again', () => {
    expect(shown(add([], '5', 'again'))).toEqual([]);
  });

  it('come to the same in whatever order and from whichever worker the numbers come', () => {
    const permuted = fc
      .uniqueArray(fc.integer({ min: 50, max: 120 }), { minLength: 1 })
      .chain((each) => fc.tuple(fc.constant(each), fc.shuffledSubarray(each, { minLength: each.length })));
    fc.assert(
      fc.property(permuted, fc.array(fc.integer({ min: 50, max: 120 })), ([sorted, shuffled], again) => {
        const inTurn = (each: readonly number[]) =>
          each.reduce((runs: Run[], number) => add(runs, `${number}`), []);
        const ordered = inTurn([...sorted].sort((a, b) => a - b));
        const repeated = again.filter((number) => sorted.includes(number)).map((n) => `${n}`);
        const redelivered = repeated.reduce((runs, text) => add(runs, text, 'again'), inTurn(shuffled));
        expect(shown(redelivered)).toEqual(shown(ordered));
      }),
    );
  });
});

describe('a gap', () => {
  it('is told only when it has been open for a minute', () => {
    const runs = add(add([], '1-4'), '7-9', 'new', NOW);
    expect(gaps(runs, NOW + GAP_OPEN_MS - 1, GAP_OPEN_MS)).toEqual([]);
    expect(gaps(runs, NOW + GAP_OPEN_MS, GAP_OPEN_MS)).toEqual(['5-6']);
  });

  it('stays as old as it is when a part of it is closed', () => {
    const runs = add(add([], '1-4'), '10', 'new', NOW);
    const later = add(add(runs, '8', 'new', NOW + HOUR), '5', 'new', NOW + HOUR);
    expect(gaps(later, NOW + HOUR, GAP_OPEN_MS)).toEqual(['6-7', '9']);
  });

  it('is forgotten after a week', () => {
    const runs = add(add([], '1-4'), '7', 'new', NOW);
    expect(gaps(add(runs, '8', 'new', NOW + GAP_KEPT_MS - 1), NOW + GAP_KEPT_MS)).toEqual(['5-6']);
    expect(gaps(add(runs, '8', 'new', NOW + GAP_KEPT_MS), NOW + GAP_KEPT_MS)).toEqual([]);
  });
});

describe('a counter that restarts', () => {
  it('is told by a number that is heard again of a new record, and leaves no gap', () => {
    const runs = add(add([], '1-1000'), '1-3');
    expect(shown(runs)).toEqual(['1-1000', '1-3']);
    expect(gaps(runs)).toEqual([]);
  });

  it.each(['0-3', '1-3'])('is told by %s below all others, whatever became of the records', (text) => {
    expect(shown(add(add([], '20-30'), text, 'unknown', NOW + HOUR))).toEqual(['20-30', text]);
  });

  it('is not told by its first number where others have overtaken that', () => {
    expect(shown(add(add(add([], '1-1000'), '3'), '1'))).toEqual(['1-1000', '1,3']);
    expect(shown(add(add([], '3'), '1'))).toEqual(['1,3']);
  });

  it('is told by a number far below all others, near ones only being late', () => {
    expect(shown(add(add([], '5000-5010'), '300'))).toEqual(['5000-5010', '300']);
    expect(shown(add(add([], '5000-5010'), '4990'))).toEqual(['4990,5000-5010']);
  });

  it('is told by a jump of more than a million', () => {
    expect(gaps(add(add([], '1-9'), '5000000'))).toEqual([]);
    expect(gaps(add(add([], '1-9'), '500000'))).toEqual(['10-499999']);
  });

  it('is not told by what was delivered again', () => {
    for (const novelty of ['unknown', 'again'] as const)
      expect(shown(add(add([], '1-1000'), '1-3', novelty))).toEqual(['1-1000']);
    expect(shown(add(add([], '5000-5010'), '300', 'again'))).toEqual(['5000-5010']);
  });

  it('shows the gaps of both its epochs', () => {
    const runs = add(add(add([], '1-50,55-1000'), '1-20'), '23-40');
    expect(gaps(runs)).toEqual(['51-54', '21-22']);
  });

  it('passes the numbers of its epoch before, with and without a gap there', () => {
    let runs = add([], '1-300');
    for (let first = 1; first < 600; first += 7) runs = add(runs, `${first}-${first + 6}`);
    expect(shown(runs)).toEqual(['1-300', '1-602']);
    runs = add(add([], '1-300'), '1-298');
    expect(gaps(add(runs, '301-320'))).toEqual(['299-300']);
  });

  it('leaves nothing of what was before it after a week without gaps', () => {
    const runs = add(add([], '1-1000'), '1-3', 'new', NOW + HOUR);
    expect(shown(add(runs, '4', 'new', NOW + HOUR + GAP_KEPT_MS - 1))).toEqual(['1-1000', '1-4']);
    expect(shown(add(runs, '4', 'new', NOW + HOUR + GAP_KEPT_MS))).toEqual(['1-4']);
  });

  it('leaves late records of before to the epoch before', () => {
    const runs = add(add(add([], '1-1000'), '1-20'), '1001-1003');
    expect(shown(runs)).toEqual(['1-1003', '1-20']);
  });

  it('lets what was missing before it come afterwards', () => {
    const runs = add(add(add([], '1-500,505-1000'), '1-600'), '501-504');
    expect(gaps(runs)).toEqual([]);
  });

  it('has not restarted where single records were only sent again after they had been refused', () => {
    const refused = add(add([], '1-1000'), '30,70');
    const runs = add(refused, '1001');
    expect(shown(runs)).toEqual(['1-1001']);
    const near = add(add([], '1-50'), '48');
    expect(shown(add(near, '51'))).toEqual(['1-51']);
    let many = add(add([], '1-1000'), '30-60,70-90');
    many = add(many, '1001', 'new', NOW + HOUR);
    expect(shown(many)).toEqual(['1-1001']);
  });
});

describe('a switch with losses and restarts', () => {
  const life = fc.record({
    begins: fc.constantFrom(0, 1),
    length: fc.integer({ min: 25, max: 400 }),
    /** Places in the life, not at its ends: what is lost around a restart cannot be told. */
    lost: fc.array(fc.nat(379), { maxLength: 4 }),
    overtakes: fc.array(fc.nat(400), { maxLength: 60 }),
    redelivered: fc.array(fc.nat(400), { maxLength: 20 }),
    together: fc.integer({ min: 1, max: 60 }),
  });

  it('is told exactly what was lost, whichever of two workers heard what and in which order', () => {
    fc.assert(
      fc.property(fc.array(life, { minLength: 1, maxLength: 4 }), (lives) => {
        const expected: number[] = [];
        let runs: Run[] = [];
        let now = NOW;
        for (const { begins, length, lost, overtakes, redelivered, together } of lives) {
          const missing = new Set(lost.filter((place) => place >= 16 && place < length - 3));
          const all = Array.from({ length }, (_, place) => place).filter((place) => !missing.has(place));
          expected.push(...[...missing].map((place) => place + begins));
          for (const overtake of overtakes) {
            const place = overtake % (all.length - 1);
            all.splice(place, 2, ...all.slice(place, place + 2).reverse());
          }
          for (let start = 0; start < all.length; start += together) {
            const heard = all.slice(start, start + together);
            const again = redelivered.filter((place) => place < start).map((place) => all[place] ?? 0);
            for (const worker of [0, 1]) {
              const own = heard.filter((_, index) => index % 2 === worker);
              const texts = own.sort((a, b) => a - b).map((place) => `${place + begins}`);
              now += 3000;
              if (texts.length > 0) runs = add(runs, texts.join(), 'new', now);
              for (const place of again) runs = add(runs, `${place + begins}`, 'again', now);
            }
          }
        }
        const told = gapsIn(runs, now, 0).flatMap(({ first, last }) =>
          Array.from({ length: Number(last - first) + 1 }, (_, index) => Number(first) + index),
        );
        const ascending = (a: number, b: number) => a - b;
        expect(told.sort(ascending)).toEqual(expected.sort(ascending));
      }),
      { numRuns: 300 },
    );
  });
});

describe('numbers that do not count records', () => {
  const inSteps = (step: number, count: number) =>
    Array.from({ length: count }, (_, index) => `${index * step + 1}`).join(',');

  it('are told when their gaps are no longer those of records on their way', () => {
    const runs = countNumbers([], numbers(inSteps(30, GAPS_MAX + 2)), NOW);
    expect(runs).toHaveLength(GAPS_MAX + 2);
    expect(countNumbers(runs ?? [], numbers('100000'), NOW + GAP_OPEN_MS)).toBeUndefined();
  });

  it('are told at once where there are more than workers can have on their way', () => {
    expect(countNumbers([], numbers(inSteps(30, 10_000)), NOW)).toHaveLength(10_000);
    expect(countNumbers([], numbers(inSteps(30, 10_001)), NOW)).toBeUndefined();
  });

  it('are told where all records have the same', () => {
    const same = Array.from({ length: 300 }, () => '7').join(',');
    expect(countNumbers([], numbers(same), NOW)).toBeUndefined();
  });

  it('are not those that both legs of a call have', () => {
    const twice = Array.from({ length: 300 }, (_, index) => `${index + 1},${index + 1}`).join(',');
    expect(shown(add([], twice))).toEqual(['1-300']);
  });

  it('are not those that several workers hear in turns', () => {
    const odd = add([], inSteps(2, 4000));
    const all = countNumbers(odd, numbers('1-8000', 'unknown'), NOW);
    expect(shown(all ?? [])).toEqual(['1-8000']);
  });

  it('are not those of a feed that loses much: then the oldest gaps are forgotten', () => {
    let runs: Run[] = add([], '1');
    for (let index = 1; index <= GAPS_MAX + 50; index += 1)
      runs = add(runs, `${index * 10}-${index * 10 + 8}`, 'new', NOW + index * GAP_OPEN_MS);
    const later = NOW + (GAPS_MAX + 52) * GAP_OPEN_MS;
    runs = add(runs, '2509', 'new', later);
    expect(gaps(runs, later, GAP_OPEN_MS)).toHaveLength(GAPS_MAX);
    expect(gaps(runs, later, GAP_OPEN_MS).at(-1)).toBe('2499');
  });
});
