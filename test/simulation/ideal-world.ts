import type { DeadLetter } from '../../src/domain/dead-letter.ts';
import { HeldRows } from '../../src/store/persist/held-rows.ts';
import type { Admitted } from '../../src/worker/admission.ts';
import { Pipeline } from '../../src/worker/pipeline.ts';
import type { Ports } from '../../src/worker/ports.ts';
import type { Request } from '../../src/worker/request.ts';
import { NO_PROPERTIES } from '../support/requests.ts';
import { REPLY_RULES } from './lane.ts';
import { settled } from './scheduler.ts';

const deadLetter: DeadLetter = {
  uniqueid: null,
  scustomer: null,
  machine: null,
  searchKeys: [],
  submittedBy: null,
  cost: null,
  currency: null,
  source: null,
  operation: 'create',
  body: '',
  digest: '',
  verified: true,
  altered: [],
  properties: NO_PROPERTIES,
};
export const refused: Admitted = {
  uniqueid: null,
  kind: 'decided',
  outcome: { kind: 'unauthenticated' },
  validationOnly: false,
  deadLetter: () => deadLetter,
  cleaned: 0,
};

/** A delivery that its tests tell by name. */
export interface Named extends Request {
  name: string;
}

export function delivery(name: string): Named {
  return { name, body: Buffer.alloc(0), bytes: 0, properties: NO_PROPERTIES };
}

/** A pipeline in a world in which all goes well, except for what a test says. */
export function pipelineWith(ports: Partial<Ports<Named>>): Pipeline<Named> {
  const good: Ports<Named> = {
    admit: () => refused,
    prepare: (entries) => async () => entries.map(() => ({ kind: 'unauthenticated' })),
    publish: async (replies) => replies.map(() => 'confirmed'),
    acknowledge: () => undefined,
    setAside: () => undefined,
    isLive: () => true,
    rows: new HeldRows(),
    look: settled,
    isWell: async () => true,
    pause: settled,
    now: () => performance.now() * 1000,
    observe: () => undefined,
  };
  return new Pipeline(
    { ...good, ...ports },
    {
      admittedAtOnce: 40,
      batchSize: 10,
      batchBytes: 4_194_304,
      repliesInFlight: 3,
      replies: REPLY_RULES,
      limit: 10,
      limitBytes: 100_000,
      holdsEndless: true,
      waitMs: 1000,
    },
  );
}
