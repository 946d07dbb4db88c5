import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { openSite, type Site } from '../support/faults.ts';
import { startProcess } from '../support/worker.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let site: Site;
const folders: string[] = [];

beforeAll(async () => {
  site = await openSite('reader-gone', 6203);
});
afterAll(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true });
  await site?.close();
});

/**
 * A process that runs this text as a module beside src. Compiled before: a compiler that runs within it would start a process,
 * which makes their common stderr block.
 */
function program(source: string): ChildProcess {
  // Beside the packages that it imports.
  const folder = mkdtempSync(join('node_modules', '.program-'));
  folders.push(folder);
  const outfile = join(folder, 'program.mjs');
  const stdin = { contents: source, resolveDir: process.cwd() };
  buildSync({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
  return spawn(process.execPath, [outfile]);
}

/** Exit code or signal. */
async function endOf(child: ChildProcess): Promise<unknown> {
  const limit = setTimeout(() => child.kill('SIGQUIT'), 45_000);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(limit);
  return code ?? signal;
}

it('a command whose reader closes the pipe ends without a message', async () => {
  const command = await startProcess(['schema'], {});
  command.child.stdout?.destroy();
  let complaint = '';
  command.child.stderr?.on('data', (chunk) => {
    complaint += chunk;
  });
  const [code] = await once(command.child, 'exit');
  expect([code, complaint]).toEqual([141, '']);
});

// Mounting takes root.
it.skipIf(process.getuid?.() !== 0)(
  'a command whose results a full disk cuts short says so and fails',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-results-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'cdr-ingest-test', folder]);
    try {
      const results = join(folder, 'schema.json');
      const command = `'${process.execPath}' '${CLI}' schema --asyncapi > '${results}'`;
      const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
      expect(readFileSync(results).length).toBeGreaterThan(0);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: 'cdr-ingest: the results could not be written: ENOSPC: no space left on device, write\n',
      });
      writeFileSync(results, '');
      expect(spawnSync('sh', ['-c', `${command} 2> /dev/full`]).status).toBe(1);
    } finally {
      execFileSync('umount', ['--lazy', folder]);
      rmSync(folder, { recursive: true });
    }
  },
);

it('a command that is done ends with its own code though nobody reads what it complained of', async () => {
  const child = program(`import { complain, endOutput, prepareOutput } from './src/commands/print.ts';
    prepareOutput();
    for (let n = 0; n < 5000; n += 1) complain('.'.repeat(100));
    process.exitCode = 7;
    await endOutput();`);
  expect(await endOf(child)).toBe(7);
});

it('a command keeps a bounded number of complaints for a slow reader, and says how many it left out', async () => {
  const child = program(`import { complain, prepareOutput } from './src/commands/print.ts';
    prepareOutput();
    for (let n = 0; n < 30_000; n += 1) complain('.'.repeat(100));
    process.emitWarning('said by a library');
    process.stdout.write('done');`);
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  await once(child.stdout, 'data');
  const lines = (await text(child.stderr)).trim().split('\n');
  const [, leftOut] = /^(\d+) lines were left out here/.exec(lines.at(-1) ?? '') ?? [];
  expect(lines.length).toBeLessThan(15_000);
  expect(lines.length - 1 + Number(leftOut)).toBe(30_001);
});

it('a command on a terminal that is stopped takes signals', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-terminal-'));
  const code = join(folder, 'code');
  const source = `import { complain, prepareOutput } from './src/commands/print.ts';
    prepareOutput();
    process.on('SIGTERM', () => process.exit(7));
    for (let n = 0; n < 5000; n += 1) complain('.'.repeat(100));
    process.kill(process.pid, 'SIGTERM');
    setInterval(() => undefined, 1000);`;
  const line = `'${process.execPath}' --import tsx --input-type=module -e "${source}"; echo $? > '${code}'`;
  // Nobody reads what is shown, as if it were stopped with Ctrl-S.
  const terminal = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    await until(() => existsSync(code) && readFileSync(code, 'utf8') === '7\n');
  } finally {
    terminal.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

it('log lines that can no longer be written do not keep a process from ending', async () => {
  const child = program(`import { openLog } from './src/ops/logger.ts';
    process.stdin.once('data', async () => {
      const { log, written } = openLog('info', '1');
      log.info('one');
      log.info('two');
      await written();
      process.exit(0);
    });`);
  child.stderr?.destroy();
  child.stdin?.write('go');
  expect(await endOf(child)).toBe(0);
});

it('a write of the log that never returns does not keep a process from ending', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-pipe-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Like a disk that hangs, a full pipe that blocks takes a write and does not return.
  const child = program(`import { openSync } from 'node:fs';
    import { LogOutput } from './src/ops/log-output.ts';
    import { openLog } from './src/ops/logger.ts';
    const output = new LogOutput(openSync('${pipe}', 'r+'));
    process.on('exit', () => output.end());
    const { log, written } = openLog('info', '1', output);
    for (let n = 0; n < 5000; n += 1) log.info('.'.repeat(100));
    await written();
    process.exit(0);`);
  expect(await endOf(child)).toBe('SIGKILL');
  rmSync(folder, { recursive: true });
});

it('a process that ends at once has written its last lines', async () => {
  const child = program(`import { openLog } from './src/ops/logger.ts';
    const { log } = openLog('info', '1');
    for (let n = 0; n < 100; n += 1) log.info({ n }, 'line');
    process.exit(7);`);
  if (child.stderr === null) throw new Error('no pipe');
  const [lines, end] = await Promise.all([text(child.stderr), endOf(child)]);
  const numbers = lines
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n);
  expect(numbers.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(end).toBe(7);
});

it('a worker whose log is no longer read goes on, and ends on SIGTERM', async () => {
  const worker = await site.worker();
  worker.child.stderr?.destroy();
  const calls = site.calls.make(20);
  await site.calls.send(calls);
  await site.allAnswered(60_000);
  worker.child.kill('SIGTERM');
  const [code] = await once(worker.child, 'exit');
  expect(code).toBe(0);
});
