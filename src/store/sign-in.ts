import { createHash } from 'node:crypto';
import { activityOf } from './activity.ts';
import { type Sql, statement } from './sql.ts';

/** Attempts within five minutes: of one user from one address, from one address, of one user from new addresses. */
export const LIMITS = { userAtAddress: 5, address: 50, userElsewhere: 20 } as const;

/** Who tries to sign in, and from where: an IPv4 address, or the first 64 bits of an IPv6 address. */
export interface SignInAttempt {
  username: string;
  address: string;
}

/** `isKnown`: this user has signed in from this address before. */
export type Attempt = { kind: 'counted'; isKnown: boolean } | { kind: 'blocked' };

const WINDOW = `interval '5 minutes'`;
const REMEMBERED = `interval '90 days'`;

/** An attempt after the end of a window begins a new one. */
const COUNT = `on conflict (key) do update set
  attempts = case when a.until <= now() then 1 else a.attempts + 1 end,
  until = case when a.until <= now() then excluded.until else a.until end`;

const COUNT_ATTEMPT = statement(
  'sign-in.count-attempt',
  `with known as (
    select exists (select from console_addresses
      where username = $1 and address = $2 and last_at > now() - ${REMEMBERED}) as is_known),
  here as (
    insert into console_attempts as a (key, attempts, until)
    select decode(key, 'hex'), 1, now() + ${WINDOW} from (values ($3), ($4)) as given(key) order by key ${COUNT}
    returning key, attempts),
  passed as (
    select is_known, (select attempts from here where key = decode($3, 'hex')) <= ${LIMITS.userAtAddress}
      and (is_known or (select attempts from here where key = decode($4, 'hex')) <= ${LIMITS.address}) as is_within
    from known),
  elsewhere as (
    insert into console_attempts as a (key, attempts, until)
    select decode($5, 'hex'), 1, now() + ${WINDOW} from passed where is_within and not is_known ${COUNT}
    returning attempts)
  select is_known, is_within, (select attempts from elsewhere) as elsewhere from passed`,
);

/**
 * Counts an attempt before its password is checked, and says whether it may be checked. The rows count for every replica of
 * the console; one statement takes their locks in one order. Only an attempt within the limits of its address counts
 * against the user elsewhere. That last limit does not apply where the user is known, so that a stranger cannot lock users
 * out of the place where they work.
 */
export async function countAttempt(sql: Sql, attempt: SignInAttempt): Promise<Attempt> {
  const keys = keysOf(attempt);
  const [row] = await sql<{ is_known: boolean; is_within: boolean; elsewhere: number | null }>(
    COUNT_ATTEMPT,
    [storable(attempt.username), attempt.address, keys.userAtAddress, keys.address, keys.user],
  );
  const isWithin = row?.is_within === true && (row.elsewhere ?? 0) <= LIMITS.userElsewhere;
  return isWithin ? { kind: 'counted', isKnown: row.is_known } : { kind: 'blocked' };
}

const REMEMBER_ADDRESS = statement(
  'sign-in.remember-address',
  `with noted as (${activityOf('signed in', { who: '$1', program: `'console'`, detail: `jsonb_build_object('address', $2::text)` }, '')})
   insert into console_addresses (username, address) values ($1, $2)
   on conflict (username, address) do update set last_at = now()`,
);

/**
 * After a right password the user's count at this address is zero, and the attempt is taken out of the other two. The
 * activity has the sign-in.
 */
export async function countSuccess(sql: Sql, attempt: SignInAttempt): Promise<void> {
  await giveBack(sql, attempt, true);
  await sql(REMEMBER_ADDRESS, [attempt.username, attempt.address]);
}

const RECORD_REFUSAL = statement(
  'sign-in.record-refusal',
  `with again as (
    update activity set detail = detail || jsonb_build_object('count', (detail ->> 'count')::int + 1)
    where id = (select max(id) from activity where who = $1 and act = 'sign-in refused' and detail ->> 'address' = $2
      and at > now() - interval '1 minute')
    returning id)
  ${activityOf(
    'sign-in refused',
    { who: '$1', program: `'console'`, detail: `jsonb_build_object('address', $2::text, 'count', 1)` },
    'where not exists (select from again)',
  )}`,
);

/** Records that a user of this name was refused, once a minute and address with how often, so that nobody floods the activity. */
export async function recordRefusal(sql: Sql, { username, address }: SignInAttempt): Promise<void> {
  await sql(RECORD_REFUSAL, [username, address]);
}

/** Takes back an attempt whose password was never checked, because too many were waiting. */
export async function uncount(sql: Sql, attempt: SignInAttempt): Promise<void> {
  await giveBack(sql, attempt, false);
}

const GIVE_BACK = statement(
  'sign-in.give-back',
  `with locked as (
    select key from console_attempts where key in (decode($1, 'hex'), decode($2, 'hex'), decode($3, 'hex'))
    order by key = decode($3, 'hex'), encode(key, 'hex') for update)
  update console_attempts a
  set attempts = case when $4 and a.key = decode($1, 'hex') then 0 else greatest(attempts - 1, 0) end
  from locked where a.key = locked.key`,
);

/** Locks in the order of `countAttempt`, so that the two cannot deadlock. */
async function giveBack(sql: Sql, attempt: SignInAttempt, isSuccess: boolean): Promise<void> {
  const keys = keysOf(attempt);
  await sql(GIVE_BACK, [keys.userAtAddress, keys.address, keys.user, isSuccess]);
}

const CLEAR_ATTEMPTS = statement(
  'sign-in.clear-attempts',
  `delete from console_attempts where key in
    (select key from console_attempts where until < now() order by until limit 10000 for update skip locked)`,
);
const CLEAR_ADDRESSES = statement(
  'sign-in.clear-addresses',
  `delete from console_addresses where last_at < now() - ${REMEMBERED}`,
);

/** Removes what no longer counts. Locked rows are left for the next time. */
export async function clearAttempts(sql: Sql): Promise<void> {
  await sql(CLEAR_ATTEMPTS, []);
  await sql(CLEAR_ADDRESSES, []);
}

function keysOf({ username, address }: SignInAttempt) {
  const key = (...parts: string[]) => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return {
    userAtAddress: key('user at address', username, address),
    address: key('address', address),
    user: key('user', username),
  };
}

/** PostgreSQL stores no NUL, so no user has one in its name. */
function storable(username: string): string {
  return username.includes('\0') ? '' : username;
}
