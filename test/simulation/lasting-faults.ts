import { changeReference } from './billing.ts';
import type { Obstacle } from './fake-database.ts';
import type { Lasting } from './faults.ts';
import { attachLate } from './late-calls.ts';
import type { Surroundings } from './surroundings.ts';
import type { WorkerProcess } from './worker.ts';

type Happening = (world: Surroundings, process: WorkerProcess) => void;

/** What a lasting fault does, to the world or to one of its processes. */
const happenings: Record<Lasting, Happening> = {
  disconnect: (_, process) => process.disconnect(),
  drain: (_, process) => {
    void process.drain();
  },
  'reference change': ({ scheduler, database, random }) =>
    scheduler.note(changeReference(database.billing, random)),
  'late calls attached': ({ database, random }) => attachLate(database, random.between(1, 3)),
  'database outage': forAWhile(({ database }, isOn) => {
    database.down = isOn;
  }),
  'row locked': obstructed('locked'),
  'row vetoed': obstructed('vetoed'),
  'row refused': obstructed('refused'),
  alarm: forAWhile(({ broker }, isOn) => {
    broker.blocked = isOn;
  }),
  'billed exchange missing': forAWhile(({ broker }, isOn) => {
    broker.takesBilled = !isOn;
  }),
  'results unroutable': forAWhile(({ broker }, isOn) => {
    broker.resultsBound = !isOn;
  }),
};

function forAWhile(set: (world: Surroundings, isOn: boolean) => void): Happening {
  return (world) => {
    const { scheduler, random } = world;
    set(world, true);
    scheduler.after(random.next() * random.pick([30, 300, 2000]), 'back to normal', () => set(world, false));
  };
}

/** One customer or invoice. Who refuses a row as if the disk were full does so until the faults are over at most. */
function obstructed(obstacle: Obstacle): Happening {
  return ({ scheduler, random, database, faults }) => {
    const row = random.pick([
      'customer 1',
      'customer 2',
      'customer 3',
      'invoice 10',
      'invoice 20',
      'invoice 30',
    ]);
    if (faults.over || database.obstacles.has(row)) return;
    scheduler.note(`${row} is ${obstacle}`);
    database.obstruct(row, obstacle);
    scheduler.after(random.next() * random.pick([30, 300, 2000]), `${row} is free`, () =>
      database.obstacles.delete(row),
    );
  };
}

/** Spreads the lasting faults of a run over its time, or crowds them at its beginning. */
export function planLastingFaults(
  world: Surroundings,
  processes: readonly WorkerProcess[],
  duration: number,
): void {
  const { scheduler, random, faults } = world;
  for (const [fault, times] of faults.lasting) {
    for (let left = times; left > 0; left -= 1) {
      scheduler.after(random.next() * random.pick([50, 300, duration]), fault, () => {
        const process = processes[random.between(0, processes.length - 1)];
        if (process === undefined || process.isDead) return;
        faults.count(fault);
        happenings[fault](world, process);
      });
    }
  }
}
