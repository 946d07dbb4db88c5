import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RabbitServer, startRabbit } from '../../dev/stack.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';

const SEED = 4601;
const ROUNDS = 3;
/** Asking alone takes an Erlang machine some seconds. */
const LEADER_LIMIT_MS = 120_000;

let nodes: RabbitServer[] = [];
let site: Site;
beforeAll(async () => {
  const first = await startRabbit();
  nodes = [first];
  for (let joined = 0; joined < 2; joined += 1) {
    const node = await startRabbit({ beside: first });
    nodes.push(node);
    await node.ctl(['stop_app']);
    await node.ctl(['join_cluster', first.nodeName]);
    await node.ctl(['start_app']);
  }
  site = await openSite('cluster', SEED, { rabbit: { url: nodes.map(({ url }) => url).join(',') } });
});
afterAll(async () => {
  await site?.close();
  for (const node of nodes.reverse()) await node.remove();
});

/** What a node knows of its leader by itself: `list_queues` asks all the others, and waits long for one that starts. */
const ASK_LEADER = `ra_leaderboard:lookup_leader('%2F_cdrs.create').`;

/** The node that leads the input queue; between two leaders there is none, and a node that starts may not know. */
async function leader(): Promise<RabbitServer> {
  let found: RabbitServer | undefined;
  await until(async () => {
    for (const node of nodes) {
      const text = await node.ctl(['-q', 'eval', ASK_LEADER]);
      found = nodes.find(({ nodeName }) => text.includes(nodeName));
      if (found !== undefined) return true;
    }
    return false;
  }, LEADER_LIMIT_MS);
  if (found === undefined) throw new Error('no leader');
  return found;
}

it('a cluster in which the leader of the input queue is killed again and again loses no message', async () => {
  await Promise.all([site.worker(), site.worker()]);
  const load = site.calls.keepSending();
  for (let round = 0; round < ROUNDS; round += 1) {
    await site.calls.moreAnswered(500);
    const lost = await leader();
    await lost.stop('hard');
    // Two of three are enough.
    await site.calls.moreAnswered(500);
    await lost.start();
  }
  await load.stop();
  await site.allAnswered();
  const { messages } = site.calls;
  await expectFaultless(site);
  console.log(JSON.stringify({ seed: SEED, messages, leadersKilled: ROUNDS, lost: 0, doubled: 0 }));
  expect(messages).toBeGreaterThan(ROUNDS * 1000);
});
