import { codeOf, type Outcome } from '../domain/outcome.ts';
import { responsesTo } from '../domain/reply.ts';
import type { Skipped } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import type { TroubleCause } from '../store/failures.ts';
import type { Message } from './batch.ts';
import { BoundedLines } from './bounded-lines.ts';
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
  const lines = boundedLines(log);
  return {
    observe: (event) => {
      count(event);
      logEvent(event, log, lines);
    },
    flush: () => {
      lines.refused.flush();
      lines.unroutableReply.flush();
    },
  };
}

/** Lines about single messages, whose number is up to their senders. */
function boundedLines(log: Logger) {
  return {
    refused: new BoundedLines({
      line: (fields) => log.info(fields, 'refused'),
      more: (count, codes) => log.info(`and ${count} more refused: ${codes}`),
    }),
    unroutableReply: new BoundedLines({
      line: (fields) => log.warn(fields, 'the reply is unroutable'),
      more: (count) => log.warn(`and ${count} more unroutable replies`),
    }),
  };
}

type Lines = ReturnType<typeof boundedLines>;

function logEvent(event: PipelineEvent, log: Logger, lines: Lines): void {
  switch (event.kind) {
    case 'persisted':
      logBatch(event, log, lines);
      break;
    case 'unroutable reply':
      lines.unroutableReply.write('', () => ({ uniqueid: event.uniqueid, ...tracing(event.request) }));
      break;
    case 'trouble':
      log.warn({ cause: event.cause }, event.description);
      break;
    case 'unkeepable':
      log.error(
        { description: event.description },
        'cannot store a dead letter for this message in any form; it stays in hand',
      );
      break;
    case 'skipped':
    case 'waiting':
      break;
    default:
      event satisfies never;
  }
}

/**
 * One line a batch, with the correlation id of its first message, and one for each refused message while there are few:
 * the parameters at fault, never their values. At level debug each message has a line.
 */
function logBatch(
  { messages, outcomes, persistMs }: Extract<PipelineEvent, { kind: 'persisted' }>,
  log: Logger,
  lines: Lines,
): void {
  const isDetailed = log.isLevelEnabled('debug');
  const [first] = messages;
  log.info(
    {
      messages: outcomes.length,
      persistMs: Math.round(persistMs),
      ...(first !== undefined && tracing(first.delivery)),
    },
    'batch persisted',
  );
  outcomes.forEach((outcome, index) => {
    const code = codeOf(outcome);
    const isRefused = !code.startsWith('2');
    const message = messages[index];
    if (message === undefined || (!isRefused && !isDetailed)) return;
    const { uniqueid } = message.submission;
    const line = { code, outcome: outcome.kind, uniqueid, ...tracing(message.delivery) };
    const refusal = () => ({ ...line, keys: responsesTo(outcome).map(({ key }) => key) });
    if (!isRefused) log.debug(line, 'accepted');
    else if (isDetailed) log.info(refusal(), 'refused');
    else lines.refused.write(code, refusal);
  });
}

/** What a log line and its message have in common. */
function tracing({ properties }: Request) {
  const { correlationId, messageId, traceparent } = properties;
  return { correlationId: correlationId ?? messageId, ...(traceparent !== undefined && { traceparent }) };
}
