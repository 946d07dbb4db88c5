import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Isolated } from '../../dev/stack.ts';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';
import { startProxy } from '../support/proxy.ts';
import { testServices } from '../support/stack.ts';
import { openTaker, type Taker } from '../support/taker.ts';
import { startProcess } from '../support/worker.ts';

const directory = mkdtempSync(join(tmpdir(), 'cdr-publish-'));
let services: Isolated;
let taker: Taker;
let isAnswering = true;

beforeAll(async () => {
  services = await testServices('publish');
  await runInProcess(['topology'], environment());
  taker = await openTaker(services.amqpUrl, () => isAnswering);
});
afterEach(() => {
  taker.forget();
  isAnswering = true;
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await taker?.close();
  await services?.drop();
});

function environment(): Record<string, string> {
  return { AMQP_URL: services.amqpUrl };
}

function publish(args: readonly string[], more: Record<string, string> = {}): Promise<CommandResult> {
  return runInProcess(['publish', ...args], { ...environment(), ...more });
}

function fileWith(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const CREDENTIALS = '"auth_username":"s","auth_password":"p"';

describe('publish', () => {
  it.each([
    ['an array in one line', '[', ',', ']'],
    ['an array over many lines', '[\n  ', ',\n  ', '\n]\n'],
    ['lines', '', '\n', '\n'],
  ])(
    'sends the calls of %s as they stand there: every digit, and what stands twice',
    async (_, begin, between, end) => {
      const calls = [
        `{${CREDENTIALS},"uniqueid": 1790000000123456789, "machine": "m", "cost": 123456789012.123456}`,
        `{${CREDENTIALS},"uniqueid": "2", "cost": 1.50, "cost": 2}`,
        `{${CREDENTIALS},"note": "[{\\"}],","x":[{"y":1}]}`,
      ];
      const file = fileWith('calls.json', begin + calls.join(between) + end);
      const { stdout, code } = await publish([file, '--json']);
      expect(JSON.parse(stdout)).toMatchObject({ sent: 3, byCode: { 204: 3 }, interrupted: false });
      expect(code).toBe(0);
      expect(taker.bodies).toEqual(calls);
      expect(taker.taken.map(({ fields }) => fields.routingKey)).toEqual([
        'cdrs.create.m',
        'cdrs.create',
        'cdrs.create',
      ]);
    },
  );

  it('adds the credentials to calls that have none, and changes nothing else', async () => {
    const file = fileWith('bare.json', '[{"cost": 1.50,"cost":1.50},{}]');
    await publish([file], { CDR_USERNAME: 's', CDR_PASSWORD: 'p' });
    expect(taker.bodies).toEqual([`{${CREDENTIALS},"cost": 1.50,"cost":1.50}`, `{${CREDENTIALS}}`]);
  });

  it.each([
    ['JSON Lines', '{"uniqueid":"1"}\n'],
    ['an array', '[{"uniqueid":"1"}]'],
    ['CSV', 'uniqueid\n1\n'],
  ])('takes %s with a byte order mark', async (_, text) => {
    expect(await publish([fileWith('bom', `\ufeff${text}`)])).toMatchObject({ code: 0 });
    expect(taker.bodies.map((body) => JSON.parse(body))).toEqual([{ uniqueid: '1' }]);
  });

  it('says of UTF-16 what it is', async () => {
    const file = fileWith('utf16.csv', Buffer.from('\ufeffuniqueid\n1\n', 'utf16le'));
    expect(await publish([file])).toMatchObject({
      stderr: `cdr-ingest: ${file}: expected UTF-8, got UTF-16\n`,
      code: 1,
    });
  });

  it('takes U+2028, U+2029 and U+0085 for characters of a name, and bytes that are no UTF-8 as they are', async () => {
    const lines = [
      Buffer.from('{"uniqueid":"1","sname":"a\u2028b\u2029c\u0085d"}\n'),
      Buffer.from('{"uniqueid":"2","sname":"Jos\xe9 \xff"}\r\n', 'latin1'),
    ];
    await publish([fileWith('names.jsonl', Buffer.concat(lines))]);
    expect(taker.taken.map(({ content }) => content.toString('latin1'))).toEqual(
      lines.map((line) => line.toString('latin1').trimEnd()),
    );
  });

  it('refuses a CSV column that stands twice before anything of any file is sent', async () => {
    const good = fileWith('good.jsonl', '{"uniqueid":"1"}\n');
    const bad = fileWith('twice.csv', 'uniqueid,cost,machine, cost\n1,1,m,2\n');
    expect(await publish([good, bad])).toEqual({
      stdout: '',
      stderr: `cdr-ingest: ${bad}: expected each column once, got "cost" twice\n`,
      code: 2,
    });
    expect(taker.bodies).toEqual([]);
  });

  it('reads a pipe, which can be read once, from its beginning', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const written = writeFile(fifo, '{"uniqueid":"1"}\n{"uniqueid":"2"}\n');
    const [{ code }] = await Promise.all([publish([fifo]), written]);
    expect(code).toBe(0);
    expect(taker.bodies).toEqual(['{"uniqueid":"1"}', '{"uniqueid":"2"}']);
  });

  it('reads an array of any length with little memory', async () => {
    const path = join(directory, 'long.json');
    const blanks = Buffer.alloc(1_048_576, 0x20);
    await pipeline(
      Readable.from(
        (function* () {
          yield '[{"uniqueid":"1"}';
          for (let i = 0; i < 200; i += 1) yield blanks;
          yield ',{"uniqueid":"2"}]';
        })(),
      ),
      createWriteStream(path),
    );
    const { stderr, code } = await publish([path], { NODE_OPTIONS: '--max-old-space-size=40' });
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(taker.bodies).toEqual(['{"uniqueid":"1"}', '{"uniqueid":"2"}']);
  });

  it.each([
    [
      'ends within its array',
      '[{"uniqueid":"1"},',
      'line 1: expected ] behind the last record, got the end of the file',
    ],
    ['ends within a call', '{"uniqueid":"1"}\n{"uniqueid":"2"', 'line 2: expected JSON, got invalid JSON'],
    [
      'has something else than a call',
      '[{"uniqueid":"1"}\n,[2]]',
      'line 2: expected a JSON object, got an array',
    ],
  ])('prints what became of the calls before the place where a file %s', async (_, text, problem) => {
    const file = fileWith('broken.json', text);
    const { stdout, stderr, code } = await publish([file, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 1, byCode: { 204: 1 } });
    expect({ stderr, code }).toEqual({ stderr: `cdr-ingest: ${file}: ${problem}\n`, code: 1 });
  });

  it('names file and line of a call that is refused', async () => {
    isAnswering = false;
    const file = fileWith('refused.jsonl', '\n{"uniqueid":"1"}\n');
    const running = publish([file]);
    await taker.came(1);
    await taker.reply(taker.taken[0], '400');
    const { stdout, code } = await running;
    expect(stdout).toContain(`${file}: line 2: 400 OK\n`);
    expect(code).toBe(1);
  });

  it('waits for a reply even where the timeout is longer than a timer of Node', async () => {
    isAnswering = false;
    const running = publish([fileWith('late.jsonl', '{"uniqueid":"1"}\n'), '--timeout', '2592000']);
    await taker.came(1);
    await taker.reply(taker.taken[0]);
    expect(await running).toMatchObject({ code: 0, stdout: expect.stringContaining('1 sent') });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints on %s what was answered by then and what was not',
    async (signal) => {
      isAnswering = false;
      const running = await startProcess(['publish', '--json', '-'], environment());
      running.child.stdin?.write('{"uniqueid":"1"}\n{"uniqueid":"2"}\n{"uniqueid":"3"}\n');
      await taker.came(3);
      await taker.reply(taker.taken[1]);
      running.child.kill(signal);
      expect(await running.ended).toBe(1);
      const summary = JSON.parse(running.output());
      expect(summary).toMatchObject({ sent: 3, interrupted: true });
      expect(summary.unanswered + (summary.byCode['204'] ?? 0)).toBe(3);
    },
  );

  it('ends where the broker is gone, instead of reading on', async () => {
    isAnswering = false;
    const proxy = await startProxy(services.amqpUrl);
    const running = await startProcess(['publish', '-'], { AMQP_URL: proxy.url(services.amqpUrl) });
    running.child.stdin?.write('{"uniqueid":"1"}\n');
    await taker.came(1);
    proxy.cut();
    expect(await running.ended).toBe(1);
    expect(running.output()).toMatch(/no reply +│ 1/);
    expect(running.output()).toMatch(/cdr-ingest: the connection to .* ended/);
    await proxy.close();
  });
});
