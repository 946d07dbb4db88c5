import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeOptionsOf } from '../support/node-options.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const COUNT = 20_000;
const LIMIT_MIB = 300;
const LIMIT_MS = 300_000;

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dry-run-memory');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
  // 4 KB each: together they would not fit below the limit.
  await site.db.execute(`insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest)
    select 'rejected', 'm-' || n, 5, 'm', 'switch', true, '[]', json_build_object('uniqueid', 'm-' || n, 'machine', 'm',
      'start', 1700000000, 'scustomer', 5, 'cost', '0.01', 'note', repeat('x', 4000))::text, sha256(('m-' || n)::bytea)
    from generate_series(1, ${COUNT}) n`);
});

afterAll(async () => {
  await site?.close();
});

/** The largest memory that a process has had, in MiB; undefined once it has ended. */
function peakOf(pid: number): number | undefined {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

it(
  'a dry run of 20,000 dead letters has its result streamed, in bounded memory',
  async () => {
    const NODE_OPTIONS = nodeOptionsOf('components/console/deployment.yaml');
    const env = { PATH: process.env.PATH, ...site.environment, NODE_OPTIONS };
    const args = [CLI, 'dead', 'replay', '--machine', 'm', '--dry-run', '--json'];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = child.pid ?? 0;
    let [peak, accepted] = [0, 0];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      accepted += chunk.split('"becomes":"accepted"').length - 1;
      peak = Math.max(peak, peakOf(pid) ?? 0);
    });
    const timer = setInterval(() => {
      peak = Math.max(peak, peakOf(pid) ?? 0);
    }, 100);
    const [code] = await once(child, 'close');
    clearInterval(timer);
    expect(code).toBe(0);
    console.info(`dry run of ${COUNT}: ${peak} MiB at most`);
    expect(peak).toBeGreaterThan(30);
    expect(peak).toBeLessThan(LIMIT_MIB);
    // One that a chunk of the output cuts in two is not counted.
    expect(accepted).toBeGreaterThan(COUNT * 0.99);
    const [row] = await site.db.rows('select state, tried::text from replays');
    expect(row).toEqual({ state: 'tried', tried: String(COUNT) });
  },
  LIMIT_MS,
);
