import { type DeadLetter, deadLetterOfBytes, minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import { asDecided, type Submission } from '../../src/domain/submission.ts';
import { proofOf } from '../../src/store/dead-letters/known.ts';
import { closeTried, isResolved, markTried } from '../../src/store/dead-letters/tried.ts';
import { waitFor } from '../../src/store/dead-letters/waiting.ts';
import { persist } from '../../src/store/persist/persist.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { type QuarantinePorts, quarantineMessage } from '../../src/worker/quarantine.ts';
import { type Request, deadLetterFor as readDeadLetter } from '../../src/worker/request.ts';
import { ADMISSION } from './history.ts';
import type { SimDelivery, SimProcess, Surroundings } from './surroundings.ts';

/** The dead letter of a quarantined message. */
function deadLetterFor(request: Request, reading: 'parsed' | 'plain' | 'minimal'): DeadLetter {
  if (reading === 'minimal') return minimalDeadLetter(request.body, request.bytes);
  return reading === 'parsed'
    ? readDeadLetter(request, ADMISSION, false)
    : deadLetterOfBytes(request, {}, request.properties, ADMISSION.keptBodyBytes);
}

/** The real way of a message that was delivered too often, over the simulated database. */
export async function takeQuarantined(
  { database, rules }: Surroundings,
  process: SimProcess,
  delivery: SimDelivery,
): Promise<Submission> {
  const within: Sql = async <Row>(statement: Statement, values: readonly unknown[]) =>
    database.execute(statement, values) as Row[];
  const ports: QuarantinePorts = {
    deadLetterOf: deadLetterFor,
    keep: async (submission) => {
      await process.request('dead letter', () => persist(within, [submission], rules));
    },
    markTried: ({ digest }) => process.request('mark', () => markTried(within, { reason: 'poison', digest })),
    isResolved: ({ digest }) =>
      process.request('question', () => isResolved(within, { reason: 'poison', digest })),
    admit: (request) => process.admit(request),
    closeSkipped: () => Promise.reject(new Error('no record of a feed comes here')),
    persistAndClose: (submission, { digest }) =>
      process.request('transaction', async () => {
        const [outcome] = await persist(within, [submission], rules);
        if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not persisted' };
        await closeTried(within, { reason: 'poison', digest }, outcome, proofOf(submission));
        return outcome;
      }),
    waitFor: (deadLetter, row) =>
      process.request('wait', () => waitFor(within, { reason: 'poison', digest: deadLetter.digest }, row)),
    isWell: () => process.request('question how it is', () => true).catch(() => false),
    pause: () => process.step('pauses', 200),
  };
  const message = { request: delivery, reason: 'poison' as const, redeliveries: delivery.failures };
  for (;;) {
    const result = await quarantineMessage(message, ports);
    if ('outcome' in result)
      return asDecided(result.outcome, { uniqueid: result.uniqueid, deadLetter: () => null });
    await process.step('waits with what cannot be kept', 500);
  }
}
