import { codeOf, type Outcome } from '../domain/outcome.ts';
import { responsesTo } from '../domain/reply.ts';
import type { Skipped } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import { SampledLines } from '../ops/sampled-lines.ts';
import type { TroubleCause } from '../store/failures.ts';
import type { Message } from './batch.ts';
import type { Request } from './request.ts';

/** What happens in a pipeline that its operators may want to see. */
export type PipelineEvent =
  | {
      kind: 'persisted';
      messages: readonly Message<Request>[];
      /** Of the messages, one for one. */
      outcomes: readonly Outcome[];
      persistMs: number;
    }
  | { kind: 'unroutable reply'; uniqueid: string | null; request: Request }
  | { kind: 'trouble'; cause: TroubleCause | 'broker'; description: string }
  /** A record that its feed leaves out. */
  | Skipped
  /** How many messages in hand wait for rows that somebody else holds. */
  | { kind: 'waiting'; messages: number }
  /** A message whose dead letter the database refuses in every form. It stays in hand. */
  | { kind: 'unkeepable'; description: string };

/** Where the events of a pipeline go. */
export interface EventSink {
  observe: (event: PipelineEvent) => void;
  /** Writes what is left to write about the running second. */
  flush: () => void;
}

/** Counts the events of a pipeline (`metrics.ts`) and logs them. */
export function reportEvents(count: (event: PipelineEvent) => void, log: Logger): EventSink {
  const lines = sampledLines(log);
  return {
    observe: (event) => {
      count(event);
      logEvent(event, log, lines);
    },
    flush: () => {
      for (const each of Object.values(lines)) each.flush();
    },
  };
}

/** Lines whose number is up to those who send messages. */
function sampledLines(log: Logger) {
  return {
    batch: new SampledLines(log, 'info', 'batch persisted'),
    refused: new SampledLines(log, 'info', 'refused'),
    unroutableReply: new SampledLines(log, 'warn', 'the reply is unroutable'),
    trouble: new SampledLines(log, 'warn', 'an attempt at a batch failed'),
    unkeepable: new SampledLines(
      log,
      'error',
      'cannot store a dead letter for this message in any form; it stays in hand',
    ),
  };
}

type Lines = ReturnType<typeof sampledLines>;

function logEvent(event: PipelineEvent, log: Logger, lines: Lines): void {
  switch (event.kind) {
    case 'persisted':
      logBatch(event, log, lines);
      break;
    case 'unroutable reply':
      lines.unroutableReply.write({
        kind: {},
        fields: () => ({ uniqueid: event.uniqueid, ...tracing(event.request) }),
      });
      break;
    case 'trouble':
      lines.trouble.write({ kind: { cause: event.cause, description: event.description } });
      break;
    case 'unkeepable':
      lines.unkeepable.write({ kind: { description: event.description } });
      break;
    case 'skipped':
    case 'waiting':
      break;
    default:
      event satisfies never;
  }
}

/**
 * Lines about a batch, with the correlation id of its first message, and about its refused messages: the parameters at
 * fault, never their values. At level debug each message has a line.
 */
function logBatch(
  { messages, outcomes, persistMs }: Extract<PipelineEvent, { kind: 'persisted' }>,
  log: Logger,
  lines: Lines,
): void {
  const isDetailed = log.isLevelEnabled('debug');
  const [first] = messages;
  lines.batch.write({
    kind: {},
    messages: outcomes.length,
    fields: () => ({
      persistMs: Math.round(persistMs),
      ...(first !== undefined && tracing(first.delivery)),
    }),
  });
  outcomes.forEach((outcome, index) => {
    const code = codeOf(outcome);
    const message = messages[index];
    if (message === undefined) return;
    if (code.startsWith('2')) {
      if (isDetailed) log.debug({ code, outcome: outcome.kind, ...traced(message) }, 'accepted');
      return;
    }
    const keys = responsesTo(outcome).map(({ key }) => key);
    // Of one kind is what is mostly one fault: what names the same parameter first.
    lines.refused.write({
      kind: { code, outcome: outcome.kind, keys: keys.slice(0, 1) },
      fields: () => ({ ...traced(message), keys }),
    });
  });
}

function traced({ submission, delivery }: Message<Request>) {
  return { uniqueid: submission.uniqueid, ...tracing(delivery) };
}

/** What a log line and its message have in common. */
function tracing({ properties }: Request) {
  const { correlationId, messageId, traceparent } = properties;
  return { correlationId: correlationId ?? messageId, ...(traceparent !== undefined && { traceparent }) };
}
