/**
 * Selects stored calls. All parts that are given must match. Parameters are those that the call was stored with, except that a
 * call which was corrected to another customer is found by both, and one whose entries moved an invoice by that invoice too.
 */
export interface CallFilter {
  uniqueid?: string;
  callid?: string;
  customer?: number;
  /** The ways in which one number may be written; `snumber`, `cnumber` or `dnumber` is one of them. */
  numbers?: readonly string[];
  machine?: string;
  /** The feed; '' for messages that speak the contract. */
  source?: string;
  /** Of the call's start: `since` inclusive, `until` exclusive. */
  since?: Date;
  until?: Date;
  invoice?: number;
  /** What was charged when the call was stored, in the customer's currency: both inclusive, decimals as text. */
  chargedMin?: string;
  chargedMax?: string;
  /** It has entries: it was corrected, voided or attached to an invoice. */
  corrected?: true;
}

/** SQL about `cdrs d`, and the values of its placeholders. */
export interface Condition {
  text: string;
  values: unknown[];
}

const NUMBERS = ['snumber', 'cnumber', 'dnumber'] as const;

/** The hash of a number without the `+` or zeros that it begins with, however it was written: the index has it. */
const hashOf = (number: string) => `hashtext(ltrim(${number}, '+0'))`;

const isOneOf = (column: (typeof NUMBERS)[number], place: string) =>
  `${hashOf(`d.${column}`)} = any(array(select distinct ${hashOf('n')} from unnest(${place}::text[]) as n))
    and d.${column} = any(${place}::text[])`;

const CONDITIONS: { [Name in Exclude<keyof CallFilter, 'customer'>]-?: (place: string) => string } = {
  uniqueid: (p) => `d.uniqueid = ${p}`,
  // The hash is in the index, the callid is not.
  callid: (p) => `hashtext(d.callid) = hashtext(${p}) and d.callid = ${p}`,
  numbers: (p) => `(${NUMBERS.map((column) => isOneOf(column, p)).join(' or ')})`,
  machine: (p) => `d.machine = ${p}`,
  source: (p) => `d.source is not distinct from nullif(${p}, '')`,
  since: (p) => `d.start >= ${p}::timestamptz`,
  until: (p) => `d.start < ${p}::timestamptz`,
  invoice: (p) => `(d.invoice = ${p}::int
    or exists (select from corrections e where e.uniqueid = d.uniqueid and e.invoice = ${p}::int))`,
  chargedMin: (p) => `d.charged >= ${p}::numeric`,
  chargedMax: (p) => `d.charged <= ${p}::numeric`,
  corrected: (p) => `exists (select from corrections e where e.uniqueid = d.uniqueid) = ${p}::boolean`,
};

const names = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];

/** All parts of the filter but the customer. */
export function conditionOf(filter: CallFilter): Condition {
  const given = names.filter((name) => filter[name] !== undefined);
  const parts = given.map((name, index) => CONDITIONS[name](`$${index + 1}`));
  return {
    text: parts.length === 0 ? 'true' : parts.join(' and '),
    values: given.map((name) => filter[name]),
  };
}
