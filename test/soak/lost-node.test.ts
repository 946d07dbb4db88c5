import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RabbitServer, startRabbit } from '../../dev/stack.ts';
import { until } from '../support/broker.ts';
import { answeredAnew, expectFaultless, openSite, type Site } from '../support/faults.ts';
import { startProcess } from '../support/worker.ts';

const SEED = 5202;
const RECOVERED_MS = 30_000;

let nodes: RabbitServer[] = [];
let site: Site;
beforeAll(async () => {
  const first = await startRabbit({ management: true });
  nodes = [first];
  for (let joined = 0; joined < 2; joined += 1) {
    const node = await startRabbit({ beside: first, management: true });
    nodes.push(node);
    await node.ctl(['stop_app']);
    await node.ctl(['join_cluster', first.nodeName]);
    await node.ctl(['start_app']);
  }
  site = await openSite('lost-node', SEED, { rabbit: { url: nodes.map(({ url }) => url).join(',') } });
});
afterAll(async () => {
  await site?.close();
  for (const node of nodes.reverse()) await node.remove();
});

/** What `doctor` finds wrong, asking the management API of a node that is there. */
async function failedChecks(down?: RabbitServer): Promise<string[]> {
  const doctor = await startProcess(['doctor', '--json'], {
    DATABASE_URL: site.databaseUrl,
    AMQP_URL: site.amqpUrl,
    AMQP_MANAGEMENT_URL: nodes.find((node) => node !== down)?.managementUrl ?? '',
  });
  await doctor.ended;
  const checks = JSON.parse(doctor.output()) as { check: string; state: string }[];
  return checks.flatMap(({ check, state }) => (state === 'failed' ? [check] : []));
}

it('killing each of three nodes in turn loses no message, and doctor reports which node is missing', async () => {
  const workers = await Promise.all([site.worker(), site.worker()]);
  const load = site.calls.keepSending();
  const recoveredMs: number[] = [];
  for (const node of nodes) {
    await site.calls.moreAnswered(500);
    const killed = performance.now();
    await node.stop('hard');
    recoveredMs.push(await answeredAnew(site, killed));
    // The statistics that the management API tells of are some seconds old.
    await until(async () => (await failedChecks(node)).join() === 'broker,nodes,quorum', 60_000);
    await node.start();
    await until(async () => (await failedChecks()).length === 0, 60_000);
  }
  await load.stop();
  await site.allAnswered();
  const { messages } = site.calls;
  await expectFaultless(site);
  // Channels that a node's end had left without a leader to talk to, and that a worker gave up for new ones.
  const renewed = workers.flatMap(
    (worker) => worker.output().match(/everything is refused|none confirmed/g) ?? [],
  );
  console.log(
    JSON.stringify({
      seed: SEED,
      messages,
      nodesKilled: nodes.length,
      recoveredMs,
      renewed: renewed.length,
      lost: 0,
    }),
  );
  for (const each of recoveredMs) expect(each).toBeLessThan(RECOVERED_MS);
});
