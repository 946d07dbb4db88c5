import type { Bed } from './bed.ts';
import { drain } from './drain.ts';
import { type Program, type Services, startWorkerProgram } from './programs.ts';
import { quotaOf } from './quota.ts';
import type { Workload } from './workload.ts';

/** Share of a core per worker. With a quarter, two workers leave enough of two cores for broker and database. */
export type Share = 0.25 | 0.5;

/** Whether workers can be held to their share here: it takes control groups, and so root. */
export function canHold(): boolean {
  const quota = quotaOf(0.5, 'probe');
  quota?.remove();
  return quota !== null;
}

/** Messages/s of several workers, each held to its share of a core. */
export async function measureScaling(
  bed: Bed,
  workers: number,
  share: Share,
  calls: Workload,
): Promise<number> {
  const { perSecond } = await drain(bed, calls, (services) => startHeld(workers, share, services));
  return perSecond;
}

async function startHeld(workers: number, share: Share, services: Services): Promise<Program> {
  const held = await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const program = await startWorkerProgram(services);
      const quota = quotaOf(share, String(index));
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
