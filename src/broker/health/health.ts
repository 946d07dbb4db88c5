/** One line of a health report. `unknown`: could not be looked at, which is no failure. */
export interface Health {
  state: 'ok' | 'warning' | 'failed' | 'unknown';
  detail: string;
}

/** What a check has found. */
export interface Findings {
  /** What is broken now. */
  problems?: readonly string[];
  /** What will be, or might be. */
  warnings?: readonly string[];
  /** What could not be looked at: why, and what to set. */
  skipped?: readonly string[];
  /** What to say where nothing of this was found. */
  fine: string;
}

/** The worst of what was found decides; all of it is said. */
export function healthFrom({ problems = [], warnings = [], skipped = [], fine }: Findings): Health {
  const notes = [...problems, ...warnings, ...skipped.map((what) => `skipped: ${what}`)].join('; ');
  if (problems.length > 0) return { state: 'failed', detail: notes };
  if (warnings.length > 0) return { state: 'warning', detail: notes };
  return skipped.length > 0 ? { state: 'unknown', detail: notes } : { state: 'ok', detail: fine };
}

/** @param remedy what an operator does about the problems */
export function healthOf(problems: readonly string[], fine: string, remedy: string): Health {
  return problems.length === 0
    ? { state: 'ok', detail: fine }
    : { state: 'failed', detail: `${problems.join('; ')}. ${remedy}` };
}

/** A check that needs the management API. */
export const notChecked = (why: string): Health =>
  healthFrom({ skipped: [withoutManagement(why)], fine: '' });

/** Why the management API says nothing, and what to set. */
export const withoutManagement = (why: string) =>
  `no management API: ${why}; set AMQP_MANAGEMENT_URL to where it can be reached, with a user that has the tag "monitoring"`;

/** A check of queues that do not exist: that they do not is said by another. */
export const noQueues: Health = healthFrom({ skipped: ['there is no queue yet'], fine: '' });
