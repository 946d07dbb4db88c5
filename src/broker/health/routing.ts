import * as z from 'zod';
import { foundIn, STRANGE } from './managed.ts';
import { type Management, settings } from './management.ts';

const exchangesSchema = z.array(
  z.looseObject({ name: z.string(), type: z.string(), arguments: settings, policy: z.string().nullish() }),
);
const bindingsSchema = z.array(
  z.looseObject({
    source: z.string(),
    destination: z.string(),
    destination_type: z.enum(['queue', 'exchange']),
    routing_key: z.string(),
  }),
);
const policiesSchema = z.array(z.looseObject({ name: z.string(), definition: settings }));

/** Exchanges and bindings of a virtual host as the management API shows them, or one line why it does not. */
export type Routing =
  | {
      kind: 'managed';
      exchanges: z.output<typeof exchangesSchema>;
      bindings: z.output<typeof bindingsSchema>;
      /** Empty where this user may not read them: it takes another tag. */
      policies: z.output<typeof policiesSchema>;
    }
  | { kind: 'unmanaged'; why: string };

export type ManagedRouting = Extract<Routing, { kind: 'managed' }>;

export async function readRouting(ask: Management, vhost: string): Promise<Routing> {
  const where = encodeURIComponent(vhost);
  const [exchanges, bindings, policies] = await Promise.all([
    ask(`exchanges/${where}`),
    ask(`bindings/${where}`),
    ask(`policies/${where}`),
  ]);
  for (const answer of [exchanges, bindings])
    if (answer.kind === 'unavailable') return { kind: 'unmanaged', why: answer.problem };
  const read = {
    exchanges: exchangesSchema.safeParse(foundIn(exchanges)),
    bindings: bindingsSchema.safeParse(foundIn(bindings)),
    policies: policiesSchema.safeParse(foundIn(policies)),
  };
  if (!read.exchanges.success || !read.bindings.success || !read.policies.success)
    return { kind: 'unmanaged', why: STRANGE };
  return {
    kind: 'managed',
    exchanges: read.exchanges.data,
    bindings: read.bindings.data,
    policies: read.policies.data,
  };
}

/** The queues that get a message, by the rules of the broker: bindings first, and where none takes it the alternate exchange. */
export function queuesFor(routing: ManagedRouting, exchange: string, key: string): ReadonlySet<string> {
  const queues = new Set<string>();
  const visited = new Set<string>();
  const visit = (name: string): void => {
    const found = routing.exchanges.find((each) => each.name === name);
    if (found === undefined || visited.has(name)) return;
    visited.add(name);
    const taking = routing.bindings.filter(
      ({ source, routing_key: pattern }) => source === name && takes(found.type, pattern, key),
    );
    for (const { destination, destination_type: type } of taking)
      if (type === 'queue') queues.add(destination);
      else visit(destination);
    const alternate = alternateOf(routing, found);
    if (taking.length === 0 && alternate !== undefined) visit(alternate);
  };
  visit(exchange);
  return queues;
}

/** An argument of the exchange counts before a policy. */
function alternateOf(
  { policies }: ManagedRouting,
  { arguments: args, policy }: ManagedRouting['exchanges'][number],
): string | undefined {
  const applied = policies.find(({ name }) => name === policy)?.definition;
  const alternate = args['alternate-exchange'] ?? applied?.['alternate-exchange'];
  return typeof alternate === 'string' ? alternate : undefined;
}

function takes(type: string, pattern: string, key: string): boolean {
  switch (type) {
    case 'fanout':
      return true;
    case 'direct':
      return pattern === key;
    case 'topic':
      return matches(pattern.split('.'), key.split('.'));
    default:
      return false;
  }
}

/** `*` is one word, `#` any number of them. */
function matches([first, ...rest]: readonly string[], words: readonly string[]): boolean {
  if (first === undefined) return words.length === 0;
  if (first === '#')
    return matches(rest, words) || (words.length > 0 && matches([first, ...rest], words.slice(1)));
  return words.length > 0 && (first === '*' || first === words[0]) && matches(rest, words.slice(1));
}
