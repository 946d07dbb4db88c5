import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds that the longer test files take on two cores, by path from the root. They need not be exact; they only keep a
 * long file from starting last and running alone. `npm test -- --reporter=json` reports new ones.
 */
const SECONDS = JSON.parse(readFileSync(new URL('./durations.json', import.meta.url), 'utf8')) as Record<
  string,
  number
>;

/**
 * Runs the longest test files first. Without it a fresh checkout, which remembers no run, would order them by size.
 *
 * Files that share processes come before all others: such a process goes on only while the next file in the queue is one of them.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId }: TestSpecification) => SECONDS[relative(process.cwd(), moduleId)] ?? 0;
    const alone = ({ project }: TestSpecification) => Number(project.config.isolate);
    return (await super.sort(files)).toSorted(
      (one, other) => alone(one) - alone(other) || seconds(other) - seconds(one),
    );
  }
}
