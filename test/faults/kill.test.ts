import { afterEach, expect, it, vi } from 'vitest';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';

let site: Site;
afterEach(() => site?.close());

const SEED = 4101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const KILLS = 6;

it('workers that are killed again and again under load lose no call and charge none twice', async () => {
  site = await openSite('kill', SEED);
  const { random } = site.calls;
  const workers = [site.worker(), site.worker(), site.worker()];
  await Promise.all(workers);
  const load = site.calls.keepSending();
  for (let kills = 0; kills < KILLS; kills += 1) {
    await site.calls.moreAnswered(random.between(1, 400));
    const victim = random.between(0, 2);
    const killed = await workers[victim];
    if (killed !== undefined) await site.kill(killed);
    // The next kill does not wait for this worker, so two may be down at a time.
    workers[victim] = site.worker();
  }
  await Promise.all(workers);
  await load.stop();
  await site.allAnswered();
  await expectFaultless(site);
});

it('a call that reaches three workers at once is charged once, and only one reply says that it is new', async () => {
  site = await openSite('at once', SEED + 1, { environment: { PREFETCH: '20' } });
  await Promise.all([site.worker(), site.worker(), site.worker()]);
  const originals = site.calls.make(200).filter(({ correlationId }) => correlationId.endsWith('/0'));
  const copies = originals.flatMap(({ call }) =>
    [1, 2, 3, 4, 5, 6].map((copy) => ({ call, correlationId: `${call.uniqueid}/copy-${copy}` })),
  );
  await site.calls.send(copies);
  await site.allAnswered();
  for (const { call } of originals) {
    const replies = [1, 2, 3, 4, 5, 6].flatMap((copy) => site.calls.heard(`${call.uniqueid}/copy-${copy}`));
    expect(replies.map(({ code }) => code)).toEqual(Array(6).fill('204'));
    expect(replies.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1);
  }
  await expectFaultless(site);
});
