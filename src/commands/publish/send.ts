import type { Probe, SwitchClient, SwitchReply } from '../../broker/switch-client.ts';
import { CommandError } from '../exit.ts';
import { progressBar } from '../print.ts';
import { onStopSignal } from '../signals.ts';

/** A message to send, and where it stands. */
export interface Outgoing {
  where: string;
  probe: Probe;
  /** Where it is not that of a call of the probe's machine. */
  routingKey?: string;
}

export interface Summary {
  sent: number;
  byCode: Record<string, number>;
  duplicates: number;
  /** Without a reply in time, or by the time of a signal: whether they are stored is not known. */
  unanswered: number;
  /** Records of a feed that its rules leave out; they are not sent. */
  skipped: number;
  /** A signal ended it before everything was sent and answered. */
  interrupted: boolean;
  /** The first of those that were not answered with 2xx. */
  refused: { call: number; where: string; responses: SwitchReply['responses'] }[];
}

/** What became of the messages, and the failure that ended it early. */
export interface Sending {
  summary: Summary;
  problem: unknown;
}

/** Messages that await their reply at once: enough to fill the worker's batches. */
const WINDOW = 1000;
/** Refused messages that are shown one by one; the summary counts all. */
const SHOWN_REFUSALS = 20;

/**
 * Sends messages as fast as they are answered. What ends it early, a file that cannot be read on or a broker that is gone, is
 * returned beside what had been answered by then.
 *
 * @param messages gives them until its signal says that no more can be sent
 * @param stop ends it at once; messages that have no reply by then count as unanswered
 */
export async function sendAll(
  client: SwitchClient,
  messages: (signal: AbortSignal) => AsyncIterable<Outgoing>,
  stop: AbortSignal,
): Promise<Sending> {
  const tally = new Tally();
  const lost = new AbortController();
  client.closed.then((reason) => lost.abort(new CommandError(reason)));
  const end = AbortSignal.any([stop, lost.signal]);
  let wake = () => {};
  const change = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  end.addEventListener('abort', () => wake());

  let problem: unknown;
  tally.start();
  try {
    for await (const message of messages(end)) {
      tally.sent(message.where, replyTo(client, message)).finally(() => wake());
      while (tally.open >= WINDOW && !end.aborted) await change();
      if (end.aborted) break;
    }
  } catch (error) {
    if (!end.aborted) problem = error;
  }
  while (tally.open > 0 && !end.aborted) await change();
  if (lost.signal.aborted) problem = lost.signal.reason;
  return { summary: tally.end(stop.aborted), problem };
}

/** Runs work that SIGINT and SIGTERM end early, with what is known by then. */
export async function untilSignal<Result>(work: (stop: AbortSignal) => Promise<Result>): Promise<Result> {
  const stop = new AbortController();
  const release = onStopSignal(() => stop.abort());
  try {
    return await work(stop.signal);
  } finally {
    release();
  }
}

function replyTo(client: SwitchClient, { probe, routingKey }: Outgoing): Promise<SwitchReply> {
  return routingKey === undefined ? client.submit(probe) : client.submitTo(routingKey, probe);
}

/** Counts the replies and shows the progress. */
class Tally {
  open = 0;
  #isOver = false;
  #answered = 0;
  readonly #summary: Omit<Summary, 'interrupted' | 'skipped'> = {
    sent: 0,
    byCode: {},
    duplicates: 0,
    unanswered: 0,
    refused: [],
  };
  readonly #bar = progressBar('{bar} {value} answered | {duration_formatted} | {rate}/s');
  readonly #started = performance.now();

  start(): void {
    this.#bar.start(0, 0, { rate: 0 });
  }

  /** Resolves when it is answered or cannot be any more. */
  async sent(where: string, reply: Promise<SwitchReply>): Promise<void> {
    const call = ++this.#summary.sent;
    this.open += 1;
    const result = await reply.catch((error: unknown) =>
      String(error instanceof Error ? error.message : error),
    );
    if (this.#isOver) return;
    this.open -= 1;
    if (typeof result === 'string') {
      this.#summary.unanswered += 1;
      this.#refuse(call, where, [{ code: '-', key: '', message: result }]);
    } else this.#count(call, where, result);
    this.#show();
  }

  /** What comes later does not count. */
  end(isInterrupted: boolean): Summary {
    this.#isOver = true;
    this.#bar.stop();
    const unanswered = this.#summary.unanswered + this.open;
    return { ...this.#summary, unanswered, skipped: 0, interrupted: isInterrupted };
  }

  #count(call: number, where: string, { responses, isDuplicate }: SwitchReply): void {
    const code = responses[0]?.code ?? '';
    const { byCode } = this.#summary;
    byCode[code] = (byCode[code] ?? 0) + 1;
    if (isDuplicate) this.#summary.duplicates += 1;
    if (!code.startsWith('2')) this.#refuse(call, where, responses);
  }

  #refuse(call: number, where: string, responses: SwitchReply['responses']): void {
    const { refused } = this.#summary;
    if (refused.length < SHOWN_REFUSALS) refused.push({ call, where, responses });
  }

  #show(): void {
    this.#answered += 1;
    this.#bar.setTotal(this.#summary.sent);
    const seconds = (performance.now() - this.#started) / 1000;
    this.#bar.update(this.#answered, { rate: Math.round(this.#answered / seconds) });
  }
}
