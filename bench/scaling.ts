import type { Bed } from './bed.ts';
import { drain } from './drain.ts';
import { type Program, type Services, startWorkerProgram } from './programs.ts';
import { quotaOf } from './quota.ts';
import type { Workload } from './workload.ts';

/** Cores of one worker: so little that four of them leave room for broker and database on two cores. */
const SHARE = 0.5;

/** Whether workers can be held to their share here: it takes control groups, and so root. */
export function canHold(): boolean {
  const quota = quotaOf(SHARE, 'probe');
  quota?.remove();
  return quota !== null;
}

/** Part F: messages/s of so many workers, each held to half a core. */
export async function measureScaling(bed: Bed, workers: number, calls: Workload): Promise<number> {
  const { perSecond } = await drain(bed, calls, (services) => startHeld(workers, services));
  return perSecond;
}

async function startHeld(workers: number, services: Services): Promise<Program> {
  const held = await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const program = await startWorkerProgram(services);
      const quota = quotaOf(SHARE, String(index));
      if (program.pid !== undefined) quota?.hold(program.pid);
      return { program, quota };
    }),
  );
  return {
    pid: undefined,
    failure: Promise.race(held.map(({ program }) => program.failure)),
    stop: async () => {
      await Promise.all(held.map(({ program }) => program.stop()));
      for (const { quota } of held) quota?.remove();
    },
  };
}
