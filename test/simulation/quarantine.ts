import { type Entry, letterFor as readLetter } from '../../src/worker/admission.ts';
import type { Request } from '../../src/worker/envelope.ts';
import { type Letter, letterOfBytes, minimalLetter } from '../../src/domain/dead-letter.ts';
import { type GivenUpPorts, takeIn } from '../../src/worker/quarantine.ts';
import { closeTried, markTried } from '../../src/store/dead-letters/insert.ts';
import { settle } from '../../src/store/persist/persist.ts';
import type { Sql } from '../../src/store/sql.ts';
import { waitFor } from '../../src/store/dead-letters/waiting.ts';
import type { SimDelivery } from './fake-consumer.ts';
import { ADMISSION } from './history.ts';
import { blame } from './lane.ts';
import type { Surroundings } from './surroundings.ts';
import type { WorkerProcess } from './worker.ts';

/** The letter of a message that the broker gave up on. */
export function letterFor(request: Request, reading: 'parsed' | 'plain' | 'minimal'): Letter {
  if (reading === 'minimal') return minimalLetter(request.body, request.bytes);
  return reading === 'parsed'
    ? readLetter(request, ADMISSION, false)
    : letterOfBytes(request, {}, request.properties, ADMISSION.keptBodyBytes);
}

/** The real way of a message that was delivered too often, over the simulated database. */
export async function takeGivenUp(
  { database }: Surroundings,
  process: WorkerProcess,
  delivery: SimDelivery,
): Promise<Entry> {
  const within: Sql = async <Row>(text: string, values: readonly unknown[]) =>
    database.execute(text, values) as Row[];
  const ports: GivenUpPorts = {
    letterOf: letterFor,
    keep: async (submission) => {
      await process.request('letter', () => settle(within, [submission], ADMISSION.systemCurrency));
    },
    markTried: ({ digest }) => process.request('mark', () => markTried(within, { reason: 'poison', digest })),
    admit: (request) => process.admit(request),
    settleAndResolve: (submission, { digest }) =>
      process.request('transaction', async () => {
        const [outcome] = await settle(within, [submission], ADMISSION.systemCurrency);
        if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not settled' };
        await closeTried(within, { reason: 'poison', digest }, outcome);
        return outcome;
      }),
    waitFor: (letter, row) =>
      process.request('wait', () => waitFor(within, { reason: 'poison', digest: letter.digest }, row)),
    blame,
    isWell: () => process.request('question how it is', () => true).catch(() => false),
    pause: (cause) => process.step(`pauses: ${cause}`, 200),
  };
  const message = { request: delivery, reason: 'poison' as const, redeliveries: delivery.failures };
  for (;;) {
    const taken = await takeIn(message, ports);
    if (!('unkeepable' in taken)) {
      const { outcome, uniqueid } = taken;
      const verdict = { kind: 'answer' as const, outcome, validationOnly: false };
      return { uniqueid, verdict, letter: () => null, cleaned: 0 };
    }
    await process.step('waits with what cannot be kept', 500);
  }
}
