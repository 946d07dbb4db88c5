import type { Admitted } from '../../src/worker/admission.ts';
import type { Request } from '../../src/worker/envelope.ts';
import { Pipeline, type Ports } from '../../src/worker/pipeline.ts';
import { persisted } from './scheduler.ts';

const properties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};
export const request: Request = { body: Buffer.alloc(0), bytes: 0, properties };
const deadLetter = {
  uniqueid: null,
  scustomer: null,
  machine: null,
  submittedBy: null,
  cost: null,
  currency: null,
  body: '',
  digest: '',
  verified: true,
  altered: [],
  properties,
};
export const refused: Admitted = {
  uniqueid: null,
  verdict: { kind: 'answer', outcome: { kind: 'unauthenticated' }, validationOnly: false },
  deadLetter: () => deadLetter,
  cleaned: 0,
};
const reply = {
  exchange: 'cdrs.results',
  routingKey: 'cdrs.result.401',
  mandatory: true,
  direct: false,
  accepted: false,
  body: Buffer.alloc(0),
  correlationId: '',
  headers: {},
};

/** A pipeline in a world in which all goes well, except for what a test says. */
export function pipelineWith(ports: Partial<Ports<string>>): Pipeline<string> {
  const good: Ports<string> = {
    admit: () => refused,
    setAside: () => undefined,
    prepare: (entries) => async () => entries.map(() => ({ kind: 'unauthenticated' })),
    classify: () => 'message',
    describe: String,
    reply: () => reply,
    fallback: () => reply,
    publish: async (replies) => replies.map(() => 'confirmed'),
    acknowledge: () => undefined,
    alive: () => true,
    isWell: async () => true,
    hold: (row, why) => ({ kind: 'held', row, why }),
    free: () => undefined,
    isHeld: () => undefined,
    isRefused: () => false,
    look: persisted,
    now: () => performance.now() * 1000,
    minimal: () => deadLetter,
    pause: persisted,
    observe: () => undefined,
  };
  return new Pipeline(
    { ...good, ...ports },
    {
      batchSize: 10,
      batchBytes: 4_194_304,
      repliesInFlight: 3,
      limit: 10,
      limitBytes: 100_000,
      holdsEndless: true,
      waitMs: 1000,
    },
  );
}
