import { searchKeysFor } from '../../domain/dead-letter.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import { type DeadLetterStatus, openStatuses } from '../../domain/record.ts';

/** Selects dead letters. All parts that are given must match. */
export interface DeadLetterFilter {
  /** 64-bit numbers as digits. */
  ids?: readonly string[];
  reasons?: readonly DeadReason[];
  statuses?: readonly DeadLetterStatus[];
  /** In the reply; one matching response is enough. */
  code?: string;
  key?: string;
  /** The first parameter that the reply names, '' for none: what problems are grouped by. */
  answerKey?: string;
  /**
   * A whole uniqueid, callid or number, small and capital letters alike, a number also without its `+` or 00; the id of a
   * dead letter; or a part of its customer's name.
   */
  search?: string;
  customer?: number;
  machine?: string;
  uniqueid?: string;
  /** The feed; '' for messages that speak the contract. */
  source?: string;
  verified?: boolean;
  /** Time of the last death: `since` inclusive, `until` exclusive. */
  since?: Date;
  until?: Date;
  /** Closed by one act, which has one time (`Closed.at`). */
  closedAt?: string;
  /** Discarded by an operator, not merged into another dead letter. */
  mayReopen?: true;
}

/** The first parameter that the reply names; rows of versions before have it only there. */
export const answerKey = `coalesce(d.answer_key, d.responses -> 0 ->> 'key', '')`;

/** The fewest characters of a customer's name that are searched for: one would find nearly all. */
const NAME_MIN = 2;

/**
 * Each part has its index, so that PostgreSQL combines what they find (BitmapOr). Rows of versions before have no search
 * keys, only a uniqueid.
 */
const searched = (p: string) => `(
  d.id = any(array(select k.dead_letter from dead_letter_keys k 
    where k.key = any(array(select json_array_elements_text(${p}::json -> 'keys')))))
  or d.uniqueid = ${p}::json ->> 'uniqueid' or d.id = (${p}::json ->> 'id')::bigint
  or d.scustomer = any(array(select c.id from customers c where c.name ilike ${p}::json ->> 'name')))`;

function searchFor(search: string) {
  const text = search.trim();
  return JSON.stringify({
    keys: searchKeysFor(text),
    uniqueid: text,
    id: /^\d{1,18}$/.test(text) ? text : null,
    name: text.length < NAME_MIN ? null : `%${text.replace(/[\\%_]/g, '\\$&')}%`,
  });
}

/** SQL about `dead_letters d`, and the values of its placeholders. */
export interface Condition {
  text: string;
  values: unknown[];
}

const CONDITIONS: readonly [
  keyof DeadLetterFilter,
  (place: string) => string,
  (value: unknown) => unknown,
][] = [
  ['ids', (p) => `d.id = any(array(select json_array_elements_text(${p}::json)::bigint))`, JSON.stringify],
  ['reasons', (p) => `d.reason = any(array(select json_array_elements_text(${p}::json)))`, JSON.stringify],
  ['statuses', (p) => `d.status = any(array(select json_array_elements_text(${p}::json)))`, JSON.stringify],
  ['code', (p) => `d.responses @> ${p}::jsonb`, (code) => JSON.stringify([{ code }])],
  ['key', (p) => `d.responses @> ${p}::jsonb`, (key) => JSON.stringify([{ key }])],
  ['answerKey', (p) => `${answerKey} = ${p}`, (value) => value],
  ['search', searched, (value) => searchFor(String(value))],
  ['customer', (p) => `d.scustomer = ${p}::int`, (value) => value],
  ['machine', (p) => `d.machine = ${p}`, (value) => value],
  ['uniqueid', (p) => `d.uniqueid = ${p}`, (value) => value],
  ['source', (p) => `d.source is not distinct from nullif(${p}, '')`, (value) => value],
  ['verified', (p) => `d.verified = ${p}::boolean`, (value) => value],
  ['since', (p) => `d.last_dead_at >= ${p}::timestamptz`, (value) => value],
  ['until', (p) => `d.last_dead_at < ${p}::timestamptz`, (value) => value],
  ['closedAt', (p) => `d.closed_at = ${p}::timestamptz`, (value) => value],
  [
    'mayReopen',
    (p) => `${p}::boolean and d.status = 'discarded' and (select e.event from dead_letter_events e
      where e.dead_letter = d.id and e.event in ('discarded', 'merged') order by e.id desc limit 1) is distinct from 'merged'`,
    (value) => value,
  ],
];

/** The filter as a condition. A single reason or status becomes an equality, so that its index returns rows in order of death. */
export function conditionOf(filter: DeadLetterFilter): Condition {
  const values: unknown[] = [];
  const isOpen = opennessOf(filter.statuses);
  const parts = CONDITIONS.flatMap(([name, write, encode]) => {
    const value = filter[name];
    if (value === undefined || (name === 'statuses' && isAllOpen(filter.statuses))) return [];
    const [only, ...more] = name === 'reasons' || name === 'statuses' ? (filter[name] ?? []) : [];
    if (only !== undefined && more.length === 0) {
      values.push(only);
      return [`d.${name === 'reasons' ? 'reason' : 'status'} = $${values.length}`];
    }
    values.push(encode(value));
    return [write(`$${values.length}`)];
  });
  const all = [...isOpen, ...parts];
  return { text: all.length === 0 ? 'true' : all.join(' and '), values };
}

/** Then `is_open` says it all. */
function isAllOpen(statuses: DeadLetterFilter['statuses'] = []): boolean {
  return (
    new Set(statuses).size === openStatuses.length && statuses.every((one) => openStatuses.includes(one))
  );
}

/** The index has `is_open` instead of `status`, because every replay changes the status (decision 5). */
function opennessOf(statuses: DeadLetterFilter['statuses']): string[] {
  if (statuses === undefined || statuses.length === 0) return [];
  if (statuses.every((status) => openStatuses.includes(status))) return ['d.is_open'];
  return statuses.some((status) => openStatuses.includes(status)) ? [] : ['not d.is_open'];
}
