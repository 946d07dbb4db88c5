import { ask, PRECONDITION_FAILED, type Refusal } from '../ask.ts';
import type { BrokerConnection } from '../connect.ts';
import { declare, declareTopology } from '../declare.ts';
import type { Management } from '../health/management.ts';
import { frontOf, nameOf, type TopologyNames } from '../topology.ts';
import { isGuarded, policyCommand, removePolicy, setPolicy } from './guard.ts';
import {
  describeBinding,
  type ForeignBinding,
  foreignBindings,
  replaceExchange,
  unbindable,
} from './replace.ts';

/** What became of the exchange `cdrs`. */
export type Migration =
  | { kind: 'nothing to do' }
  /** Something else is wrong, which has to be put right first. */
  | { kind: 'refused'; problems: string[] }
  /** It would cost what nobody has consented to. The exchange is as it was. */
  | { kind: 'costs'; costs: string[] }
  | { kind: 'done'; tookMs: number; restored: string[]; costs: string[]; leftover: string | null };

export interface MigrationOptions {
  management: Management;
  vhost: string;
  names: TopologyNames;
  /** Goes on although it costs something. */
  accepts: boolean;
}

/** A worker of the version before that connects in between declares the old form: it is replaced once more. */
const TRIES = 5;

/**
 * Replaces the exchange `cdrs` by one without arguments, which cannot be changed. What is confirmed meanwhile is not lost
 * (guard.ts), and the bindings of others are made again. May be interrupted at any point and run again.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function migrateExchange(
  connection: BrokerConnection,
  options: MigrationOptions,
): Promise<Migration> {
  const { management, vhost, names, accepts } = options;
  const wrong = (await declareTopology(connection, names)).filter(({ state }) => state === 'wrong');
  const problems = wrong.filter(({ object }) => object !== nameOf(frontOf(names)));
  const refusal = await differenceOf(connection, names);
  if (refusal !== null && refusal.code !== PRECONDITION_FAILED)
    return { kind: 'refused', problems: [refusal.text] };
  if (problems.length > 0) return { kind: 'refused', problems: problems.map(({ problem }) => problem ?? '') };
  if (refusal === null) {
    await removePolicy(management, vhost);
    return { kind: 'nothing to do' };
  }
  const policyProblem = await setPolicy(management, vhost, names);
  const { others, costs } = await examine(connection, options, policyProblem);
  if (costs.length > 0 && !accepts) {
    await removePolicy(management, vhost);
    return { kind: 'costs', costs };
  }
  const tookMs = await replaceUntilSame(connection, names, others);
  const leftover = policyProblem === null ? await removePolicy(management, vhost) : null;
  return { kind: 'done', tookMs, restored: others.map(describeBinding), costs, leftover };
}

/** Null if the exchange is as it should be. */
async function differenceOf(connection: BrokerConnection, names: TopologyNames): Promise<Refusal | null> {
  return await ask(connection, (channel) => declare(channel, frontOf(names)));
}

/** The bindings that will be made again, and what it costs that cannot be avoided. */
async function examine(
  connection: BrokerConnection,
  { management, vhost, names }: MigrationOptions,
  policyProblem: string | null,
): Promise<{ others: ForeignBinding[]; costs: string[] }> {
  const costs: string[] = [];
  if (!(await isGuarded(connection, names))) {
    const why = policyProblem === null ? 'another policy of higher priority applies' : policyProblem;
    costs.push(
      `calls that are confirmed between the declaration of the exchange and its binding would be lost: no policy catches them (${why}). Set it and try again: ${policyCommand(vhost, names)}`,
    );
  }
  const found = await foreignBindings(management, vhost, names);
  if (typeof found === 'string') {
    costs.push(
      `bindings of others to the exchange "${names.exchange}" end with it, and could not be read (${found}): look at "rabbitmqctl list_bindings -p '${vhost}'", and make them again afterwards`,
    );
    return { others: [], costs };
  }
  const lost = await unbindable(connection, found);
  costs.push(
    ...lost.map(
      (binding) =>
        `the binding ${describeBinding(binding)} ends with the exchange, and this user may not make it again`,
    ),
  );
  return { others: found.filter((binding) => !lost.includes(binding)), costs };
}

async function replaceUntilSame(
  connection: BrokerConnection,
  names: TopologyNames,
  others: readonly ForeignBinding[],
): Promise<number> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await replaceExchange(connection, names, others);
    } catch (error) {
      const isSame = (await differenceOf(connection, names)) === null;
      if (isSame || tried === TRIES) throw error;
    }
  }
}
