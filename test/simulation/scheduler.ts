import { setImmediate as nextTurn } from 'node:timers/promises';

interface Task {
  at: number;
  label: string;
  run: () => void;
}

/**
 * Virtual time: everything in a simulated world that takes time is a task here, and one task runs after the
 * other. What a task sets off in the code under test has come to a halt before the next one runs, so that a run
 * depends on nothing but the order of the tasks.
 */
export class Scheduler {
  now = 0;
  readonly trace: string[] = [];
  #tasks: Task[] = [];

  after(delay: number, label: string, run: () => void): void {
    const task = { at: this.now + delay, label, run };
    // Behind those of the same time: first come, first served.
    const place = this.#tasks.findLastIndex(({ at }) => at <= task.at) + 1;
    this.#tasks.splice(place, 0, task);
  }

  note(text: string): void {
    this.trace.push(`${this.now.toFixed(3)} ${text}`);
  }

  /** Runs until nothing is left to happen; false if that is not so after `limit` tasks. */
  async run(limit: number): Promise<boolean> {
    for (let count = 0; count < limit; count += 1) {
      const task = this.#tasks.shift();
      if (task === undefined) return true;
      this.now = task.at;
      this.note(task.label);
      task.run();
      await settled();
    }
    return false;
  }
}

/** A delivery waits for a turn to be admitted, another to be persisted, and one to be answered beside the next batch; and one to spare. */
const TURNS = 4;

/** Some turns of the event loop: promises have gone as far as they can, and so has what `setImmediate` put off. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
}
