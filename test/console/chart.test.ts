import { describe, expect, it } from 'vitest';
import { chart } from '../../src/console/chart.ts';

const at = Array.from({ length: 8 }, (_, index) => new Date(Date.UTC(2026, 0, 1, 6, index)));

function drawn(counts: readonly (number | null)[]): string {
  return chart({ unit: 'minute', at, series: [{ noun: 'call', did: 'stored', isBad: false, counts }] }).text;
}

const scaleOf = (text: string) =>
  [
    ...(/<div class="chart-scale"[^>]*>(.*?)<\/div>/s.exec(text)?.[1]?.matchAll(/<span>(.*?)<\/span>/g) ??
      []),
  ].map(([, label]) => label);

describe('a chart', () => {
  it.each([
    [0, ['2', '1', '0']],
    [1, ['2', '1', '0']],
    [3, ['4', '2', '0']],
    [5, ['10', '5', '0']],
    [11, ['20', '10', '0']],
    [4000, ['4,000', '2,000', '0']],
    [4001, ['10,000', '5,000', '0']],
  ])('with %s at most has a scale of whole numbers', (most, labels) => {
    expect(scaleOf(drawn([0, 0, most, 0, 0, 0, 0, 0]))).toEqual(labels);
  });

  it('says each value with its time and noun, in the bar and in the table', () => {
    const text = drawn([1, 0, 1234, 0, 0, 0, 5, 2]);
    expect(text).toContain('<title>06:00 UTC: 1 call stored</title>');
    expect(text).toContain('<title>06:02 UTC: 1,234 calls stored</title>');
    expect(text.replaceAll(/\s+/g, ' ')).toMatch(/06:02<\/time><\/th><td class="number">1,234<\/td>/);
  });

  it('is summed up for a screen reader by the last full minute and the most', () => {
    expect(drawn([9, 0, 0, 0, 0, 0, 5, 2])).toContain(
      'aria-label="5 calls stored in the last full minute, 9 at most"',
    );
  });

  it('has a time under the first bar of each quarter', () => {
    const times = /<div class="chart-times"[^>]*>(.*?)<\/div>/s.exec(drawn(Array(8).fill(0)))?.[1];
    expect(
      times
        ?.replaceAll(/<\/?span>/g, ' ')
        .trim()
        .split(/\s+/),
    ).toEqual(['06:00', '06:02', '06:04', '06:06']);
  });

  it('shows one among thousands, and nothing for none', () => {
    const heights = [...drawn([9000, 1, 0, 0, 0, 0, 0, 0]).matchAll(/height="(\d+)"><\/rect><\/g>/g)].map(
      ([, height]) => Number(height),
    );
    expect(heights.slice(0, 3)).toEqual([90, 2, 0]);
  });

  it('says what is not counted yet, and does not show it as zero', () => {
    const text = drawn([null, 0, 0, 0, 0, 0, 0, 0]);
    expect(text).toContain('06:00 UTC: calls stored not counted yet');
    expect(text).toContain('<td class="number">not counted yet</td>');
  });
});
