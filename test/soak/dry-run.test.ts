import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { ownPods, written } from '../k8s/manifests.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const COUNT = Number(process.env.DEAD_LETTERS ?? 500_000);
/** Dead letters put in at once, well within the statement timeout. */
const PORTION = 10_000;
const LIMIT_MS = 3_600_000;
/** Of the limit of the pod, which the console shares. */
const SHARE = 0.5;

const limited = z.looseObject({
  resources: z.looseObject({ limits: z.looseObject({ memory: z.string().regex(/^\d+Mi$/) }) }),
});

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dry-run-pod');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
  for (let from = 1; from <= COUNT; from += PORTION)
    await site.db.execute(`insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest)
        select 'rejected', 'm-' || n, 5, 'm', 'switch', true, '[]', json_build_object('uniqueid', 'm-' || n, 'machine', 'm',
          'start', 1700000000, 'scustomer', 5, 'cost', '0.01')::text, sha256(('m-' || n)::bytea)
        from generate_series(${from}, ${Math.min(from + PORTION - 1, COUNT)}) n`);
}, LIMIT_MS);

afterAll(() => site?.close());

/** The largest memory that a process has had, in MiB; 0 once it has ended. */
function peakOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return 0;
  }
}

it(
  `a dry run of ${COUNT} dead letters fits the console's pod beside the console`,
  async () => {
    const [container] =
      ownPods(written()).find(({ of }) => of === 'Deployment cdr-ingest-console')?.pod.containers ?? [];
    const limitMib = Number.parseInt(limited.parse(container).resources.limits.memory, 10);
    const NODE_OPTIONS = container?.env.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? '';
    const env = { PATH: process.env.PATH, ...site.environment, NODE_OPTIONS };
    const args = [CLI, 'dead', 'replay', '--machine', 'm', '--dry-run', '--json'];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let peak = 0;
    child.stdout.resume();
    const timer = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid ?? 0));
    }, 100);
    const since = performance.now();
    const [code] = await once(child, 'close');
    clearInterval(timer);
    console.info(
      `${COUNT} in ${Math.round((performance.now() - since) / 1000)} s: ${Math.round(peak)} MiB at most`,
    );
    expect(code).toBe(0);
    expect(peak).toBeGreaterThan(30);
    expect(peak).toBeLessThan(SHARE * limitMib);
  },
  LIMIT_MS,
);
