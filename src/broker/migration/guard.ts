import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { within } from '../../retry.ts';
import type { BrokerConnection } from '../connect.ts';
import type { Management } from '../health/management.ts';
import type { TopologyNames } from '../topology.ts';

/**
 * The guard of the migration: a policy that gives the exchange `cdrs` the alternate exchange `cdrs.intake`. The broker applies
 * policies when it declares an exchange, so whatever is published before the exchange is bound goes the way of the binding.
 */
const POLICY = 'cdrs-migration';

const policiesSchema = z.array(
  z.looseObject({
    name: z.string(),
    pattern: z.string(),
    priority: z.number().default(0),
    'apply-to': z.string().default('all'),
    definition: z.record(z.string(), z.unknown()),
  }),
);

/** The exchange that only proves whether the policy is in force. */
const proofOf = ({ exchange }: TopologyNames) => `${exchange}.migration`;

/** As an operator sets the policy where the management API cannot be used. */
export function policyCommand(vhost: string, names: TopologyNames): string {
  const definition = JSON.stringify(definitionOf(names));
  return `rabbitmqctl set_policy -p '${vhost}' --apply-to exchanges --priority 100 ${POLICY} '${patternOf(names)}' '${definition}'`;
}

const patternOf = ({ exchange }: TopologyNames) => `^${exchange}(\\.migration)?$`;
const definitionOf = ({ intakeExchange }: TopologyNames) => ({ 'alternate-exchange': intakeExchange });

/**
 * Sets the policy above all others that apply to the exchange, with what the highest of them says: the broker applies only one.
 * Returns why it could not, else null.
 */
export async function setPolicy(
  ask: Management,
  vhost: string,
  names: TopologyNames,
): Promise<string | null> {
  const where = encodeURIComponent(vhost);
  const listed = await ask(`policies/${where}`);
  if (listed.kind === 'unavailable') return listed.problem;
  const policies = policiesSchema
    .parse(listed.kind === 'found' ? listed.body : [])
    .filter((policy) => policy.name !== POLICY && appliesTo(policy, names.exchange))
    .sort((a, b) => b.priority - a.priority);
  const [highest] = policies;
  const body = {
    pattern: patternOf(names),
    'apply-to': 'exchanges',
    priority: (highest?.priority ?? 0) + 1,
    definition: { ...highest?.definition, ...definitionOf(names) },
  };
  const answer = await ask(`policies/${where}/${POLICY}`, { method: 'PUT', body });
  return answer.kind === 'unavailable' ? answer.problem : null;
}

/** Removes the policy if it is there. Returns why it could not, else null. */
export async function removePolicy(ask: Management, vhost: string): Promise<string | null> {
  const answer = await ask(`policies/${encodeURIComponent(vhost)}/${POLICY}`, { method: 'DELETE' });
  return answer.kind === 'unavailable' ? answer.problem : null;
}

/** A pattern that only the broker's kind of regular expressions knows is left out; the proof finds out if it matters. */
function appliesTo(policy: z.output<typeof policiesSchema>[number], exchange: string): boolean {
  try {
    return ['all', 'exchanges'].includes(policy['apply-to']) && new RegExp(policy.pattern).test(exchange);
  } catch {
    return false;
  }
}

/**
 * Whether a new exchange that nothing is bound to would lose nothing. Tries it on an exchange that only this policy is meant
 * for, with a message that only a queue of this connection's own can take. Whoever set the policy, this node of the broker
 * applies it.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function isGuarded(connection: BrokerConnection, names: TopologyNames): Promise<boolean> {
  const proof = proofOf(names);
  const key = `${proof}.${randomUUID()}`;
  const channel = await connection.openConfirmChannel();
  const answered = <Result>(answer: Promise<Result>) =>
    within(answer, connection.rpcTimeoutMs, 'the answer about the policy');
  await answered(channel.assertQueue(key, { exclusive: true, durable: false, autoDelete: true }));
  await answered(channel.bindQueue(key, names.intakeExchange, key));
  await answered(channel.assertExchange(proof, 'topic', { durable: false }));
  try {
    channel.publish(proof, key, Buffer.from('proof of the policy cdrs-migration'), { mandatory: true });
    await answered(channel.waitForConfirms());
    return (await answered(channel.get(key, { noAck: true }))) !== false;
  } finally {
    await answered(channel.deleteExchange(proof));
    await answered(channel.deleteQueue(key));
    await answered(channel.close());
  }
}
