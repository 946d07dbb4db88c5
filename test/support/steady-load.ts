import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './broker.ts';
import { type Message, openSwitch, type SentCall, type TestSwitch } from './switch.ts';

/** What the sender of a message must be told. */
type Kind = 'new' | 'repeat' | 'refused' | 'pruned';

interface Sent {
  phase: string;
  kind: Kind;
  message: Message;
  sentAt: number;
  answeredAt?: number;
}

/** What senders saw of one phase. */
export interface Seen {
  phase: string;
  messages: number;
  unanswered: number;
  /** As after a redelivery. */
  answeredTwice: number;
  /** Longest time without any reply, in seconds. */
  longestPause: number;
  /** Longest time that one message waited for its reply, in seconds. */
  longestWait: number;
}

/** A switch that sends at one rate whatever becomes of its messages: new calls, repeats of earlier ones, and some to be refused. */
export interface SteadyLoad {
  readonly calls: TestSwitch['calls'];
  readonly sent: readonly Sent[];
  /** Begins a phase, does the work under load, and goes on until so many more messages are answered. */
  phase: (name: string, work: () => Promise<unknown>) => Promise<void>;
  /** Sends these calls again, which have been pruned. */
  repeatPruned: (uniqueids: readonly string[]) => void;
  /** The codes with which messages of a kind were answered in a phase, each once. */
  codes: (kind: Kind, phase?: string) => string[];
  /** Stops sending and waits for what is unanswered. */
  stop: () => Promise<void>;
  seen: () => Seen[];
  close: () => Promise<void>;
}

export interface LoadOptions {
  perSecond: number;
  /** Messages that are answered in each phase after its work is done. */
  perPhase: number;
  seed: number;
}

const TICK_MS = 50;
/** Of so many messages one is to be refused, and one repeats an earlier call. */
const REFUSED = 25;
const REPEATED = 20;
/** Earlier calls that may be repeated. */
const LATEST = 1000;
const UNKNOWN_CUSTOMER = 99;
const LIMIT_MS = 300_000;

export async function openSteadyLoad(
  amqpUrl: string,
  password: string,
  { perSecond, perPhase, seed }: LoadOptions,
): Promise<SteadyLoad> {
  const sent: Sent[] = [];
  const byId = new Map<string, Sent>();
  const latest: SentCall[] = [];
  /** When replies came, one after the other. */
  const replies: number[] = [];
  const phases: { name: string; begin: number }[] = [];
  const sending = new Set<Promise<void>>();
  let isStopped = false;

  const site = await openSwitch(amqpUrl, password, seed, (correlationId) => {
    const now = performance.now();
    replies.push(now);
    const one = byId.get(correlationId);
    if (one) one.answeredAt ??= now;
  });

  function send(kind: Kind, messages: readonly Message[]): void {
    const sentAt = performance.now();
    for (const message of messages) {
      const one = { phase: phases.at(-1)?.name ?? '', kind, message, sentAt };
      sent.push(one);
      byId.set(message.correlationId, one);
    }
    const confirmed = site.send(messages).finally(() => sending.delete(confirmed));
    sending.add(confirmed);
  }

  const again = (call: SentCall): Message => ({
    call,
    correlationId: `${call.uniqueid}/again ${sent.length}`,
  });

  function sendOne(): void {
    if (sent.length % REFUSED === 1) {
      const call = { uniqueid: `refused ${sent.length}`, customer: UNKNOWN_CUSTOMER, cost: 0n };
      send('refused', [{ call, correlationId: call.uniqueid }]);
    } else if (sent.length % REPEATED === 1 && latest.length > 0) {
      const call = latest[site.random.between(0, latest.length - 1)];
      if (call) send('repeat', [again(call)]);
    } else {
      const made = site.make(1);
      send('new', made);
      latest.push(...made.slice(0, 1).map(({ call }) => call));
      if (latest.length > LATEST) latest.shift();
    }
  }

  async function keepSending(): Promise<void> {
    const begun = performance.now();
    const due = () => ((performance.now() - begun) / 1000) * perSecond;
    while (!isStopped) {
      while (sent.length < due()) sendOne();
      await sleep(TICK_MS);
    }
  }
  let running: Promise<void> | undefined;

  const answered = () => sent.filter(({ answeredAt }) => answeredAt !== undefined).length;
  const seconds = (ms: number) => Math.round(ms / 10) / 100;

  return {
    calls: site.calls,
    sent,
    phase: async (name, work) => {
      phases.push({ name, begin: performance.now() });
      running ??= keepSending();
      await work();
      const target = answered() + perPhase;
      await until(() => answered() >= target, LIMIT_MS);
    },
    repeatPruned: (uniqueids) => {
      for (const uniqueid of uniqueids) {
        const call = site.calls.get(uniqueid);
        if (call) send('pruned', [again(call)]);
      }
    },
    codes: (kind, phase) => {
      const some = sent.filter((one) => one.kind === kind && (phase ?? one.phase) === one.phase);
      const codes = some.flatMap(({ message }) => site.heard(message.correlationId).map(({ code }) => code));
      return [...new Set(codes)].sort();
    },
    stop: async () => {
      isStopped = true;
      await running;
      await Promise.all(sending);
      await until(() => site.unanswered === 0, LIMIT_MS);
    },
    seen: () =>
      phases.map(({ name, begin }, index) => {
        const mine = sent.filter(({ phase }) => phase === name);
        const end = phases[index + 1]?.begin ?? Number.POSITIVE_INFINITY;
        // A pause in which one phase ends and the next begins belongs to both.
        const pauses = replies.flatMap((at, place) => {
          const before = replies[place - 1] ?? sent[0]?.sentAt ?? at;
          return at > begin && before < end ? [at - before] : [];
        });
        const waits = mine.flatMap(({ sentAt, answeredAt }) =>
          answeredAt === undefined ? [] : [answeredAt - sentAt],
        );
        return {
          phase: name,
          messages: mine.length,
          unanswered: mine.length - waits.length,
          answeredTwice: mine.filter(({ message }) => site.heard(message.correlationId).length > 1).length,
          longestPause: seconds(Math.max(0, ...pauses)),
          longestWait: seconds(Math.max(0, ...waits)),
        };
      }),
    close: () => site.close(),
  };
}
