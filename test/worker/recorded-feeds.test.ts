import { describe, expect, it } from 'vitest';
import { RecordedFeeds } from '../../src/worker/recorded-feeds.ts';

describe('feeds on record', () => {
  it('are read once for everybody who asks meanwhile, and again when that is long ago', async () => {
    let now = 0;
    let reads = 0;
    let rows = [{ source: 'fs', exchange: 'x.fs' }];
    const recorded = new RecordedFeeds(
      async () => {
        reads += 1;
        return rows;
      },
      () => now,
    );
    expect(await Promise.all([recorded.nameOf('x.fs'), recorded.nameOf('other')])).toEqual(['fs', undefined]);
    expect(recorded.nameOf('x.fs')).toBe('fs');
    expect(reads).toBe(1);
    rows = [{ source: 'renamed', exchange: 'x.fs' }];
    now = 10_000;
    expect(await recorded.nameOf('x.fs')).toBe('renamed');
    expect(reads).toBe(2);
  });

  it('are asked for again after the database could not answer', async () => {
    let isDown = true;
    const recorded = new RecordedFeeds(async () => {
      if (isDown) throw new Error('down');
      return [{ source: 'fs', exchange: 'x.fs' }];
    });
    await expect(Promise.resolve(recorded.nameOf('x.fs'))).rejects.toThrow('down');
    isDown = false;
    expect(await recorded.nameOf('x.fs')).toBe('fs');
  });
});
