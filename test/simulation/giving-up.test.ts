import { expect, it } from 'vitest';
import type { Admitted } from '../../src/admission.ts';
import type { Request } from '../../src/broker/envelope.ts';
import { Pipeline, type Ports } from '../../src/pipeline.ts';
import { settled } from './scheduler.ts';

const properties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};
const request: Request = { body: Buffer.alloc(0), bytes: 0, properties };
const letter = {
  uniqueid: null,
  scustomer: null,
  machine: null,
  submittedBy: null,
  cost: null,
  currency: null,
  body: '',
  digest: '',
  properties,
};
const refused: Admitted = {
  uniqueid: null,
  verdict: { kind: 'answer', outcome: { kind: 'unauthenticated' }, validationOnly: false },
  letter: () => letter,
  cleaned: 0,
};
const reply = {
  exchange: 'cdrs.results',
  routingKey: 'cdrs.result.401',
  mandatory: true,
  direct: false,
  body: Buffer.alloc(0),
  correlationId: '',
  headers: {},
};

/** A pipeline in a world in which all goes well, except for what a test says. */
function pipelineWith(ports: Partial<Ports<string>>): Pipeline<string> {
  const good: Ports<string> = {
    admit: () => refused,
    settle: async (entries) => entries.map(() => ({ kind: 'unauthenticated' })),
    blame: () => 'message',
    describe: String,
    reply: () => reply,
    fallback: () => reply,
    publish: async (replies) => replies.map(() => 'confirmed'),
    acknowledge: () => undefined,
    alive: () => true,
    pause: settled,
    observe: () => undefined,
  };
  return new Pipeline({ ...good, ...ports }, { batchSize: 10, repliesInFlight: 3 });
}

it('gives up a message that cannot even be kept, once the broker has it again', async () => {
  let isAlive = true;
  let tries = 0;
  const pipeline = pipelineWith({
    settle: async () => {
      tries += 1;
      if (tries === 5) isAlive = false;
      // Ends the test where nothing else would.
      if (tries === 50) return [{ kind: 'unauthenticated' }];
      throw new Error('refused');
    },
    alive: () => isAlive,
  });
  pipeline.accept('one', request);
  await pipeline.idle();
  expect(tries).toBe(5);
});

it('gives up replies that nobody confirms, once the broker has their messages again', async () => {
  let isAlive = true;
  const pipeline = pipelineWith({
    publish: async (replies) => {
      isAlive = false;
      return replies.map(() => 'failed');
    },
    alive: () => isAlive,
    acknowledge: () => expect.fail('nothing was confirmed'),
  });
  pipeline.accept('one', request);
  await pipeline.idle();
});

it('tells who waits for it to be idle that it has failed', async () => {
  const failure = new Error('unexpected');
  const pipeline = pipelineWith({
    observe: () => {
      throw failure;
    },
  });
  pipeline.accept('one', request);
  await expect(pipeline.idle()).rejects.toBe(failure);
});
