import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogOutput } from '../../src/ops/log-output.ts';
import { logWarnings, openLog } from '../../src/ops/logger.ts';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
const LINES = 40_000;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-log-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Nothing is closed: an output that goes on trying would write into what is opened next. */
function pipe() {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, O_RDONLY | O_NONBLOCK);
  return { path, reader, writer: openSync(path, O_WRONLY | O_NONBLOCK) };
}

/** What is in a pipe at the moment. */
function readNow(fd: number): string {
  const chunk = Buffer.alloc(1_048_576);
  try {
    return chunk.toString('utf8', 0, readSync(fd, chunk));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

/** Reads until the text has been there. */
async function readUntil(fd: number, text: string): Promise<string> {
  let all = '';
  await vi.waitFor(
    () => {
      all += readNow(fd);
      expect(all.includes(text)).toBe(true);
    },
    { timeout: 10_000, interval: 1 },
  );
  return all;
}

const line = (n: number) => `line ${n} ${'.'.repeat(40)}\n`;

/** The numbers of lines that are there; fails if one is torn. */
function numbersIn(text: string): number[] {
  return text
    .split('\n')
    .filter((one) => one !== '')
    .map((one) => {
      expect(one).toMatch(/^line \d+ \.{40}$/);
      return Number(one.split(' ')[1]);
    });
}

describe('the output of a log', () => {
  it('keeps a bounded number of lines for a reader that does not read, counts the others, and says how many once it reads', async () => {
    const { reader, writer } = pipe();
    const output = new LogOutput(writer);
    output.onDropped = (count) => output.write(`${count} are missing\n`);
    for (let n = 0; n < LINES; n += 1) output.write(line(n));
    const { dropped } = output;
    expect(dropped).toBeGreaterThan(LINES / 4);
    const text = await readUntil(reader, 'are missing\n');
    const [before = '', ...after] = text.split(`${dropped} are missing\n`);
    // In their order, none missing but those that were said to be.
    expect(after).toEqual(['']);
    expect(numbersIn(before)).toEqual(Array.from({ length: LINES - dropped }, (_, n) => n));
    output.write(line(LINES));
    expect(numbersIn(await readUntil(reader, '\n'))).toEqual([LINES]);
    expect(output.dropped).toBe(dropped);
  });

  it('goes on with a reader that takes the place of one that has gone', async () => {
    const { path, reader, writer } = pipe();
    const output = new LogOutput(writer);
    closeSync(reader);
    output.write(line(1));
    output.write(line(2));
    const next = openSync(path, O_RDONLY | O_NONBLOCK);
    expect(numbersIn(await readUntil(next, 'line 2 '))).toEqual([1, 2]);
  });

  it('takes lines for a device that takes none, without an error and without end', async () => {
    const output = new LogOutput(openSync('/dev/full', O_WRONLY));
    for (let n = 0; n < LINES; n += 1) output.write(line(n));
    await new Promise((resolve) => setImmediate(resolve));
    for (let n = 0; n < LINES; n += 1) output.write(line(n));
    expect(output.dropped).toBeGreaterThan(LINES);
    output.end();
  });

  // Mounting takes root.
  it.skipIf(process.getuid?.() !== 0)('writes every line whole on a disk that was full', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'cdr-ingest-test', folder]);
    try {
      const filler = join(folder, 'filler');
      const path = join(folder, 'log');
      const output = new LogOutput(openSync(path, 'w'));
      writeFileSync(filler, Buffer.alloc(60_000));
      for (let n = 0; n < 500; n += 1) output.write(line(n));
      await vi.waitFor(() => expect(readFileSync(path).length % line(0).length).toBeGreaterThan(0), 10_000);
      rmSync(filler);
      await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toContain('line 499 '), 10_000);
      expect(numbersIn(readFileSync(path, 'utf8'))).toEqual(Array.from({ length: 500 }, (_, n) => n));
      expect(output.dropped).toBe(0);
    } finally {
      execFileSync('umount', ['--lazy', folder]);
    }
  });
});

describe('a line of the log', () => {
  it('is JSON with level as a word, service, version and time', async () => {
    const path = join(folder, 'log');
    const { log, written } = openLog(
      'info',
      '1.2.3',
      new LogOutput(openSync(path, O_WRONLY | constants.O_CREAT)),
    );
    log.warn({ password: 'secret', name: 'a\u202eb' }, 'something');
    await written();
    const text = readFileSync(path, 'utf8');
    expect(text).not.toMatch(/\u202e|secret/);
    expect(JSON.parse(text)).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: 'cdr-ingest',
      version: '1.2.3',
      password: '***',
      name: 'a\u202eb',
      msg: 'something',
    });
  });

  it('is what a warning of Node becomes, which Node would wait for until it is read', async () => {
    const path = join(folder, 'log');
    const output = new LogOutput(openSync(path, 'w'));
    const { log, written } = openLog('info', '1.2.3', output);
    const nodes = process.listeners('warning');
    try {
      logWarnings(log);
      expect(process.listenerCount('warning')).toBe(1);
      process.emit('warning', new Error('something is deprecated'));
      await written();
    } finally {
      process.removeAllListeners('warning');
      for (const listener of nodes) process.on('warning', listener);
    }
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      level: 'warn',
      warning: 'Error',
      msg: 'something is deprecated',
    });
  });
});
