import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { Outcome } from '../../src/domain/outcome.ts';
import type { Message } from '../../src/worker/batch.ts';
import { reportEvents } from '../../src/worker/pipeline-events.ts';
import type { Request } from '../../src/worker/request.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

function recorded() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = pino(
    { base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
    { write },
  );
  return { lines, ...reportEvents(() => undefined, log) };
}

function message(uniqueid: string): Message<Request> {
  return {
    delivery: {
      body: Buffer.alloc(0),
      bytes: 0,
      properties: { ...NO_PROPERTIES, messageId: `m-${uniqueid}` },
    },
    submission: {
      kind: 'decided',
      uniqueid,
      outcome: { kind: 'unauthenticated' },
      deadLetter: () => null,
      validationOnly: false,
      cleaned: 0,
    },
  };
}

function rejected(...keys: string[]): Outcome {
  return { kind: 'rejected', errors: keys.map((key) => ({ key, message: 'wrong' })) };
}

it('a flood of refused calls is one line in full for each code and parameter at fault, and one that counts the others', () => {
  const { lines, observe, flush } = recorded();
  const outcomes: Outcome[] = [rejected('cost', 'start'), rejected('peer'), { kind: 'unauthenticated' }];
  for (let batch = 0; batch < 50; batch += 1)
    observe({
      kind: 'persisted',
      messages: outcomes.map((_, index) => message(`${batch}-${index}`)),
      outcomes,
      persistMs: 7.4,
    });
  flush();
  const info = { level: 'info' };
  const refused = { ...info, msg: 'refused' };
  const more = { ...info, count: 49 };
  expect(lines).toEqual([
    { ...info, msg: 'batch persisted', messages: 3, persistMs: 7, correlationId: 'm-0-0' },
    {
      ...refused,
      code: '400',
      outcome: 'rejected',
      keys: ['cost', 'start'],
      uniqueid: '0-0',
      correlationId: 'm-0-0',
    },
    { ...refused, code: '400', outcome: 'rejected', keys: ['peer'], uniqueid: '0-1', correlationId: 'm-0-1' },
    {
      ...refused,
      code: '401',
      outcome: 'unauthenticated',
      keys: [''],
      uniqueid: '0-2',
      correlationId: 'm-0-2',
    },
    { ...more, msg: 'batch persisted, more of them', messages: 147 },
    { ...more, msg: 'refused, more of them', code: '400', outcome: 'rejected', keys: ['cost'] },
    { ...more, msg: 'refused, more of them', code: '400', outcome: 'rejected', keys: ['peer'] },
    { ...more, msg: 'refused, more of them', code: '401', outcome: 'unauthenticated', keys: [''] },
  ]);
});

it('failed attempts and replies that nobody takes are sampled as well, by what failed', () => {
  const { lines, observe, flush } = recorded();
  for (let n = 0; n < 100; n += 1) {
    observe({ kind: 'trouble', cause: 'outage', description: n % 2 === 0 ? 'gone' : 'full' });
    observe({ kind: 'unroutable reply', uniqueid: `${n}`, request: message(`${n}`).delivery });
    observe({ kind: 'unkeepable', description: 'refused' });
  }
  flush();
  expect(lines.map(({ msg, description, count }) => [msg, description, count])).toEqual([
    ['an attempt at a batch failed', 'gone', undefined],
    ['the reply is unroutable', undefined, undefined],
    ['cannot store a dead letter for this message in any form; it stays in hand', 'refused', undefined],
    ['an attempt at a batch failed', 'full', undefined],
    ['the reply is unroutable, more of them', undefined, 99],
    ['an attempt at a batch failed, more of them', 'gone', 49],
    ['an attempt at a batch failed, more of them', 'full', 49],
    [
      'cannot store a dead letter for this message in any form; it stays in hand, more of them',
      'refused',
      99,
    ],
  ]);
});
