import { ACCESS_REFUSED, ask, NOT_FOUND, PRECONDITION_FAILED, type Refusal } from './ask.ts';
import type { BrokerConnection, Channel } from './connect.ts';
import {
  type FeedExchange,
  frontOf,
  nameOf,
  type TopologyNames,
  type TopologyObject,
  topologyOf,
} from './topology.ts';

/**
 * What became of one object of the topology. `as found`: an exchange that somebody declared with other properties and
 * that serves a feed all the same. `old form`: the exchange `cdrs` as it was before `cdrs.intake`.
 */
export interface TopologyReport {
  object: string;
  state: 'ok' | 'as found' | 'old form' | 'wrong';
  ok: boolean;
  /** What is wrong; if `ok`, what is otherwise or could not be checked, else null. */
  problem: string | null;
}

/** Declares an object, or only looks at it. Null if the broker agrees. */
type Act = (object: TopologyObject) => Promise<Refusal | null>;

/**
 * Declares what is missing. Safe to repeat, and to run from several places at once. Goes on after a problem,
 * so that one run shows all of them.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function declareTopology(
  connection: BrokerConnection,
  names: TopologyNames,
  feeds: readonly FeedExchange[] = [],
): Promise<TopologyReport[]> {
  const act: Act = (object) => declareOn(connection, object);
  return await reportEach(names, feeds, act);
}

/**
 * Compares the broker with the topology and changes nothing. Declares exchanges and queues that exist once
 * more, which the broker refuses if they differ. Without the permission to configure it only checks that they
 * exist. AMQP cannot read bindings and policies. The reports say what was not checked.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function checkTopology(
  connection: BrokerConnection,
  names: TopologyNames,
  feeds: readonly FeedExchange[] = [],
): Promise<TopologyReport[]> {
  const unchecked = new Map<string, string>();
  const act: Act = async (object) => {
    if (object.kind === 'binding') {
      unchecked.set(nameOf(object), 'not checked: AMQP cannot read bindings');
      return null;
    }
    const absent = await ask(connection, (channel) =>
      object.kind === 'queue' ? channel.checkQueue(object.name) : channel.checkExchange(object.name),
    );
    if (absent !== null) return absent;
    const different = await declareOn(connection, object);
    if (different?.code !== ACCESS_REFUSED) return different;
    unchecked.set(
      nameOf(object),
      'exists; its arguments were not checked because this user may not configure it',
    );
    return null;
  };
  const reports = await reportEach(names, feeds, act);
  return reports.map((each) => ({ ...each, problem: each.problem ?? unchecked.get(each.object) ?? null }));
}

async function reportEach(
  names: TopologyNames,
  feeds: readonly FeedExchange[],
  act: Act,
): Promise<TopologyReport[]> {
  const ofFeeds = new Set(feeds.map(({ exchange }) => exchange));
  const ofOtherType = new Set<string>();
  const reports: TopologyReport[] = [];
  for (const object of topologyOf(names, feeds)) {
    // The keys of a feed mean something else to another type.
    if (object.kind === 'binding' && ofOtherType.has(object.exchange)) continue;
    const refusal = await act(object);
    const isOfFeed = object.kind === 'exchange' && ofFeeds.has(object.name);
    if (isOfFeed && differsIn('type', refusal)) ofOtherType.add(object.name);
    if (refusal === null) reports.push(reportOf(object, 'ok', null));
    else if (isOfFeed) reports.push(reportOfFeed(object, refusal));
    else if (nameOf(object) === nameOf(frontOf(names)) && differsIn('alternate-exchange', refusal))
      reports.push(reportOf(object, 'old form', `${nameOf(object)} ${OLD_FORM}`));
    else reports.push(reportOf(object, 'wrong', explain(object, refusal)));
  }
  return reports;
}

const OLD_FORM =
  'has an alternate exchange of its own, as before cdrs.intake: nothing is lost by it, but the broker refuses switches that declare the exchange themselves (406). Replace it with "cdr-ingest topology --migrate"';

/**
 * Null if the broker agrees. An exchange that would be internal may as well let clients publish to it: the objects of
 * the Kubernetes operator cannot say it, and whoever may write there could as well write to `cdrs`.
 */
async function declareOn(connection: BrokerConnection, object: TopologyObject): Promise<Refusal | null> {
  const refusal = await ask(connection, (channel) => declare(channel, object));
  const isOpen = object.kind === 'exchange' && object.isInternal && differsIn('internal', refusal);
  return isOpen
    ? await ask(connection, (channel) => declare(channel, { ...object, isInternal: false }))
    : refusal;
}

/** Whether an object exists with another value of a property. The broker names the first one that it found different. */
function differsIn(property: string, refusal: Refusal | null): boolean {
  return refusal?.code === PRECONDITION_FAILED && refusal.text.includes(`inequivalent arg '${property}'`);
}

function reportOfFeed(object: TopologyObject, refusal: Refusal): TopologyReport {
  if (differsIn('type', refusal)) {
    const problem = `${nameOf(object)} is of another type than SOURCES_FILE says, and not bound: ${refusal.text}. Correct the type in the file, or give the feed an exchange of its own`;
    return reportOf(object, 'wrong', problem);
  }
  if (refusal.code === PRECONDITION_FAILED)
    return reportOf(object, 'as found', `used as somebody declared it: ${refusal.text}`);
  return reportOf(object, 'wrong', explain(object, refusal));
}

function reportOf(
  object: TopologyObject,
  state: TopologyReport['state'],
  problem: string | null,
): TopologyReport {
  return { object: nameOf(object), state, ok: state === 'ok' || state === 'as found', problem };
}

export function declare(channel: Channel, object: TopologyObject): Promise<unknown> {
  switch (object.kind) {
    case 'exchange': {
      const { name, type, isInternal: internal, arguments: args } = object;
      return channel.assertExchange(name, type, { durable: true, internal, arguments: args });
    }
    case 'queue':
      return channel.assertQueue(object.name, { durable: true, arguments: object.arguments });
    case 'binding': {
      const { exchange, to, destination, routingKey } = object;
      return to === 'queue'
        ? channel.bindQueue(destination, exchange, routingKey)
        : channel.bindExchange(destination, exchange, routingKey);
    }
  }
}

function explain(object: TopologyObject, { code, text }: Refusal): string {
  const name = nameOf(object);
  const expected = object.kind === 'binding' ? '' : `, expected ${describe(object)}`;
  switch (code) {
    case NOT_FOUND:
      return `${name} does not exist${expected}: ${text}`;
    case PRECONDITION_FAILED:
      return `${name} exists with different properties${expected}: ${text}. They cannot be changed: drain and delete it and declare it again, or use a policy and run without the permission to configure`;
    case ACCESS_REFUSED:
      return `${name} may not be declared by this user${expected}: ${text}`;
    default:
      return `${name}${expected}: ${text}`;
  }
}

function describe(object: Exclude<TopologyObject, { kind: 'binding' }>): string {
  const list = Object.entries(object.arguments).map(([name, value]) => `${name}=${value}`);
  const kind =
    object.kind === 'queue'
      ? 'a durable queue'
      : `a durable${object.isInternal ? ' internal' : ''} ${object.type} exchange`;
  return [kind, ...list].join(' ');
}
