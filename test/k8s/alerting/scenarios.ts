import type { Step } from './timeline.ts';

const MINUTE = 60;
/** Longer than every window of the rules. */
const BEFORE_S = 62 * MINUTE;
/** Longer than any alert takes to clear. */
const AFTER_S = 45 * MINUTE;
/** How often Prometheus asks a worker and evaluates rules here. */
export const EVERY_S = 30;

/** A fault on the timelines of the workers that it meets, from `beginS` to `endS`. */
export interface Scenario {
  /** The name of its recording, or of the one that it is played from. */
  recording: string;
  name: string;
  /** What happens, as the table says it. */
  title: string;
  /** An outage must raise a critical alert soon, and what is no fault none at all. */
  kind: 'outage' | 'trouble' | 'no fault';
  beginS: number;
  endS: number;
  workers: Record<string, readonly Step[]>;
}

const around = (steps: readonly Step[]): Step[] => [
  { phase: 'before', seconds: BEFORE_S },
  ...steps,
  { phase: 'after', seconds: AFTER_S },
];

/** A scenario in which `one` worker has the fault and `other` goes on beside it. */
function scenario(
  name: string,
  title: string,
  one: readonly Step[],
  {
    other = one,
    recording = name,
    kind = 'trouble',
  }: Partial<Pick<Scenario, 'recording' | 'kind'>> & {
    other?: readonly Step[];
  } = {},
): Scenario {
  const seconds = one.reduce((sum, step) => sum + step.seconds, 0);
  const workers = { one: around(one), other: around(other) };
  return { recording, name, title, kind, beginS: BEFORE_S, endS: BEFORE_S + seconds, workers };
}

/** The same fault for all workers, as long as so many minutes. */
const lasting = (name: string, title: string, minutes = 60, kind: Scenario['kind'] = 'trouble') =>
  scenario(name, title, [{ phase: 'fault', seconds: minutes * MINUTE }], { kind });
const outage = (name: string, title: string) => lasting(name, title, 60, 'outage');

/** A worker that lives for `aliveS` after each start, and is started again as Kubernetes does: later each time. */
function crashing(aliveS: number): Step[] {
  const pausesS = [10, 20, 40, 80, 160, ...new Array<number>(8).fill(300)];
  return pausesS.flatMap((pauseS) => [
    { phase: 'unreachable', seconds: pauseS },
    ...(aliveS > 0 ? [{ phase: 'fault', seconds: aliveS }] : []),
  ]);
}

const comingAndGoing = Array.from({ length: 15 }, () => [
  { phase: 'fault', seconds: 2 * MINUTE },
  { phase: 'before', seconds: 2 * MINUTE },
]).flat();
const alone = (steps: readonly Step[]) => ({
  other: [{ phase: 'before', seconds: steps.reduce((sum, { seconds }) => sum + seconds, 0) }],
});
const gone: Step[] = [{ phase: 'gone', seconds: 60 * MINUTE }];
const restart: Step[] = [
  { phase: 'unreachable', seconds: MINUTE },
  { phase: 'fault', seconds: 10 * MINUTE },
];

/** In the order of the table. */
export const scenarios: readonly Scenario[] = [
  outage('broker-down', 'RabbitMQ is down for an hour'),
  outage('broker-silent', 'the network to RabbitMQ swallows everything for an hour'),
  scenario('broker-flaps', 'RabbitMQ is down for two minutes of four, for an hour', comingAndGoing, {
    recording: 'broker-down',
    kind: 'outage',
  }),
  outage('broker-disk-full', "RabbitMQ's disk is full for an hour: it takes no message"),
  outage('database-down', 'PostgreSQL is down for an hour'),
  scenario('database-flaps', 'PostgreSQL is down for two minutes of four, for an hour', comingAndGoing, {
    recording: 'database-down',
    kind: 'outage',
  }),
  lasting('database-slow', 'PostgreSQL takes seconds for each statement for an hour'),
  outage('database-disk-full', "PostgreSQL's disk is full for an hour"),
  scenario('row-locked', "somebody holds a customer's row for an hour", [
    { phase: 'fault', seconds: 10 * MINUTE },
    { phase: 'parked', seconds: 50 * MINUTE },
  ]),
  lasting('garbage', 'somebody sends a hundred unreadable messages a second for an hour'),
  lasting('reference-missing', 'one call in five names a tax that does not exist, for an hour'),
  lasting('password-old', 'a switch with one call in ten seconds has an old password for an hour'),
  lasting('conflict', 'a uniqueid arrives with other content, and is decided after two hours', 120),
  lasting('parked', 'a call is parked, all workers are restarted, and it is stored after two hours', 120),
  lasting('silent', 'one switch of two with an `every` of 15 minutes is silent for an hour'),
  lasting('backlog', 'more calls come than workers take, for an hour'),
  lasting('uninvoiced', 'a call has been on no invoice for a week, and two hours more', 120),
  scenario('worker-crashes', 'one worker of two ends 30 s after each start', crashing(30), {
    ...alone(crashing(30)),
    recording: 'restart',
  }),
  scenario('worker-starts-never', 'one worker of two ends before it answers', crashing(0), {
    ...alone(crashing(0)),
    recording: 'restart',
  }),
  scenario('worker-gone', 'one worker of two is gone for an hour', gone, {
    ...alone(gone),
    recording: 'restart',
  }),
  scenario('all-gone', 'all workers are gone for an hour', gone, { recording: 'restart', kind: 'outage' }),
  scenario('restart', 'all workers are restarted once', restart, { kind: 'no fault' }),
  lasting('quiet-night', 'nothing is sent for an hour but one call that is refused', 60, 'no fault'),
];
