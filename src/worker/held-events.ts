import type { Held } from '../domain/held.ts';
import type { PipelineEvent } from './pipeline-events.ts';

/**
 * What to tell of the calls of a batch that begin to wait: one event for each cause, which names the first row. A line for each
 * of a thousand rows that a billing job has locked would say no more.
 *
 * @param began of each row at least once
 */
export function eventsOfHeld(began: readonly Held[]): PipelineEvent[] {
  return (['lock', 'message'] as const).flatMap((cause) => {
    const held = began.filter((one) => one.cause === cause);
    const [first] = held;
    if (first === undefined) return [];
    const rows = new Set(held.map(({ row }, index) => row ?? index));
    const what = first.row === null ? '' : `${first.row}: `;
    const more = rows.size === 1 ? '' : ` (and ${rows.size - 1} more)`;
    return [{ kind: 'trouble', cause, description: `${what}${first.why}${more}; its calls wait` }];
  });
}
