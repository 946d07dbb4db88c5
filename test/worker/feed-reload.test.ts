import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import type { Feed } from '../../src/sources/feed.ts';
import { createReload, type ReloadPorts } from '../../src/worker/feed-reload.ts';

const named = (name: string) => [{ name }] as unknown as readonly Feed[];

/** A reload whose file is `file.name`, with what it puts into force and logs. */
function reloading(given: Partial<ReloadPorts> = {}) {
  const file = { name: 'first' };
  const used: string[] = [];
  const lines: string[] = [];
  const log = (_: object, line: string) => void lines.push(line);
  const reload = createReload({
    read: () => named(file.name),
    record: async () => undefined,
    use: (feeds) => void used.push(...feeds.map(({ name }) => name)),
    declare: async () => undefined,
    log: { info: log, warn: log, error: log } as unknown as ReloadPorts['log'],
    ...given,
  });
  return { file, used, lines, reload };
}

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('reading the sources file again', () => {
  it('leaves in force what was read last, however slow the database was before', async () => {
    const slow = deferred();
    let waits = [slow.promise, Promise.resolve()];
    const { file, used, reload } = reloading({
      record: async () => {
        const [wait, ...rest] = waits;
        waits = rest;
        await wait;
      },
    });
    const first = reload();
    await Promise.resolve();
    file.name = 'second';
    const second = reload();
    slow.resolve();
    await Promise.all([first, second]);
    expect(used.at(-1)).toBe('second');
    expect(used).toHaveLength(2);
  });

  it('takes the feeds into force although the broker cannot be asked, and says so', async () => {
    const { used, lines, reload } = reloading({ declare: () => Promise.reject(new Error('gone')) });
    await reload();
    expect(used).toEqual(['first']);
    expect(lines).toEqual([
      'the exchanges of feeds could not be declared; they are at the next connection',
      'sources file read again',
    ]);
  });

  it('leaves everything as it is for a wrong file, and takes the next one', async () => {
    let isWrong = true;
    const { used, lines, reload } = reloading({
      record: async () => {
        if (isWrong) throw new ConfigError('another rule');
      },
    });
    await reload();
    expect(used).toEqual([]);
    isWrong = false;
    await reload();
    expect(used).toEqual(['first']);
    expect(lines).toEqual([
      'the sources file cannot be used; the one before stays in force',
      'sources file read again',
    ]);
  });
});
