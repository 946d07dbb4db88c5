import type { Case } from './contract-cases.ts';
import { decimal, integer } from './contract-numbers.ts';
import { credential, identifier, taxes, text, word } from './contract-texts.ts';

/**
 * What the interface says of every parameter, written down a second time: values in, normalised values out.
 * Nothing here may come from src, or the test would prove that the code equals itself.
 */
export interface Row {
  name: string;
  cases: Case[];
  /** Further parameters, so that the case depends on this one alone. */
  beside: Record<string, number>;
}

/** Everything that a call must have; `start` 0, so that every `end` is allowed. */
export const BASE: Readonly<Record<string, string | number>> = {
  auth_username: 'user',
  auth_password: 'password',
  uniqueid: 'base-1',
  machine: 'base-2',
  start: 0,
  scustomer: 123,
};

export const SYSTEM_CURRENCY = 'USD';

const ID_MAX = 2147483647;
const TIME_MAX = 253402300799;

function row(name: string, cases: Case[], beside: Record<string, number> = {}): Row {
  return { name, cases, beside };
}

const STATUSES = ['answer', 'busy', 'cancel', 'chanunavail', 'congestion', 'error', 'noanswer'];

export const TABLE: readonly Row[] = [
  row('auth_username', credential()),
  row('auth_password', credential()),
  row('uniqueid', identifier()),
  row('machine', identifier()),
  row('start', integer(TIME_MAX)),
  row('scustomer', integer(ID_MAX)),
  row('stype', text('')),
  row('snumber', text('')),
  row('spresent', integer(127, 0)),
  row('sname', text('')),
  row('ctype', text('')),
  row('cnumber', text('')),
  row('dcustomer', integer(ID_MAX, 123)),
  row('dtype', text('')),
  row('dnumber', text('')),
  row('callid', text('base-1')),
  row('channel', text('')),
  row('cost', decimal()),
  row('currency', text(SYSTEM_CURRENCY)),
  // The durations that follow from `end` have a limit of their own.
  row('end', integer(TIME_MAX, 0), { talktime: 0, totaltime: 0 }),
  row('ingroup_time', integer(ID_MAX, 0)),
  row('invoice', integer(ID_MAX, 0)),
  row('media', word(['fax', 'message', 'voice'], 'voice')),
  row('messages', integer(ID_MAX, 0)),
  row('note', text('')),
  row('outgroup_time', integer(ID_MAX, 0)),
  row('peer', integer(ID_MAX, 0)),
  row('recording', text('')),
  row('status', word(STATUSES, 'answer')),
  row('talktime', integer(ID_MAX, 60), { end: 60 }),
  row('taxes', taxes()),
  row('time', integer(ID_MAX, 0)),
  row('totaltime', integer(ID_MAX, 60), { end: 60 }),
  row('update_balance', integer(1, 1)),
  row('update_invoices', integer(1, 1)),
  row('validation', integer(1, 0)),
];
