import type { Case } from './contract-cases.ts';
import { decimal, integer } from './contract-numbers.ts';
import { credential, identifier, taxes, text, word } from './contract-texts.ts';

/**
 * What the interface says of every parameter, written down a second time: values in, normalised values out.
 * Nothing here may come from src, or the test would prove that the code equals itself.
 */
export interface Row {
  name: string;
  /** The row of the published table: name, type, description, required, default value. */
  published: readonly string[];
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

function row(line: string, cases: Case[], beside: Record<string, number> = {}): Row {
  const published = line.split('|').map((cell) => cell.trim());
  return { name: published[0] ?? '', published, cases, beside };
}

const STATUSES = ['answer', 'busy', 'cancel', 'chanunavail', 'congestion', 'error', 'noanswer'];

export const TABLE: readonly Row[] = [
  row('auth_username | String | Authentication username. | Yes |', credential()),
  row('auth_password | String | Authentication password. | Yes |', credential()),
  row('uniqueid | String | Uniqueid. | Yes |', identifier()),
  row('machine | String | Machine. | Yes |', identifier()),
  row('start | Integer | Start Unix timestamp. | Yes |', integer(TIME_MAX)),
  row('scustomer | Integer | ID of customer making call. | Yes |', integer(ID_MAX)),
  row('stype | String | Source type. | No | Empty string.', text('')),
  row('snumber | String | Source number. | No | Empty string.', text('')),
  row('spresent | Integer | Source presentation in ISDN format. | No | 0', integer(127, 0)),
  row('sname | String | Source caller name. | No | Empty string.', text('')),
  row('ctype | String | Called type. | No | Empty string.', text('')),
  row('cnumber | String | Called number. | No | Empty string.', text('')),
  row('dcustomer | Integer | ID of destination customer. | No | Same as scustomer.', integer(ID_MAX, 123)),
  row('dtype | String | Destination type. | No | Empty string.', text('')),
  row('dnumber | String | Destination number. | No | Empty string.', text('')),
  row('callid | String | Callid. | No | Same as uniqueid.', text('base-1')),
  row('channel | String | Channel. | No | Empty string.', text('')),
  row('cost | Decimal | Cost to customer making call. | No | 0.00', decimal()),
  row('currency | String | Currency cost is in. | No | System currency.', text(SYSTEM_CURRENCY)),
  // The durations that follow from `end` have a limit of their own.
  row('end | Integer | End Unix timestamp. | No | Same as start.', integer(TIME_MAX, 0), {
    talktime: 0,
    totaltime: 0,
  }),
  row('ingroup_time | Integer | ID of ingroup_time. | No | 0', integer(ID_MAX, 0)),
  row('invoice | Integer | ID of invoice. 0 for none. | No | 0', integer(ID_MAX, 0)),
  row(
    'media | String | Media. "fax", "message", or "voice". | No | "voice"',
    word(['fax', 'message', 'voice'], 'voice'),
  ),
  row('messages | Integer | Number of included messages used. | No | 0', integer(ID_MAX, 0)),
  row('note | String | Note to attach to call. | No | Empty string.', text('')),
  row('outgroup_time | Integer | ID of outgroup_time. | No | 0', integer(ID_MAX, 0)),
  row('peer | Integer | ID of peer. 0 for none. | No | 0', integer(ID_MAX, 0)),
  row('recording | String | Recording path. | No | Empty string.', text('')),
  row(
    'status | String | Call status. "answer", "busy", "cancel", "chanunavail", "congestion", "error", "noanswer". | No | "answer"',
    word(STATUSES, 'answer'),
  ),
  row('talktime | Integer | Talk time in seconds. | No | end - start', integer(ID_MAX, 60), { end: 60 }),
  row('taxes | String | Comma separated list of taxes to apply. | No | Empty string.', taxes()),
  row('time | Integer | Included time used in seconds. | No | 0', integer(ID_MAX, 0)),
  row('totaltime | Integer | Total time in seconds. | No | end - start', integer(ID_MAX, 60), { end: 60 }),
  row(
    'update_balance | Integer | 1 to update balance of customer making call, 0 not to. | No | 1',
    integer(1, 1),
  ),
  row('update_invoices | Integer | 1 to update any affected invoices, 0 not to. | No | 1', integer(1, 1)),
  row('validation | Integer | 1 to validate input then return, 0 for full action. | No | 0', integer(1, 0)),
];

/** A value of a parameter, as a call has it, that is none of those given. */
export function otherValue(name: string, ...not: unknown[]): string | number {
  const cases = TABLE.find((each) => each.name === name)?.cases ?? [];
  for (const { expected } of cases)
    if (typeof expected !== 'symbol' && expected !== '' && !not.includes(expected)) return expected;
  throw new Error(`${name} has no other value in test/domain/contract-table.ts`);
}
