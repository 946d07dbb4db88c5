import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from '../support/faults.ts';
import { startProcess } from '../support/worker.ts';

let site: Site;

beforeAll(async () => {
  site = await openSite('reader-gone', 6203);
});
afterAll(() => site?.close());

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

it('log lines that can no longer be written do not keep a process from ending', async () => {
  const script = `import { createLogger, logWritten } from './src/ops/logger.ts';
    process.stdin.once('data', async () => {
      const log = createLogger('info');
      log.info('one');
      log.info('two');
      await logWritten(log);
      process.exit(0);
    });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  child.stderr.destroy();
  child.stdin.write('go');
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code] = await once(child, 'exit');
  clearTimeout(limit);
  expect(code).toBe(0);
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
