import { type Sql, statement } from './sql.ts';

/** Who is signed in. */
export interface SessionUser {
  username: string;
  role: 'operator' | 'viewer';
  /** Changes with the password, the role and `active`. */
  credentialsVersion: string;
}

/** A user whose password is to be checked. */
export interface Candidate {
  username: string;
  passwordHash: string;
}

/** A session ends after 12 hours, and after one without a request. */
const LIVE = `s.created_at > now() - interval '12 hours' and s.last_seen_at > now() - interval '1 hour'`;
const MAY_ENTER = `u.active and u.role in ('operator', 'viewer')`;

const CANDIDATE = statement(
  'sessions.candidate',
  `select username, password_hash as "passwordHash" from users u where username = $1 and ${MAY_ENTER}`,
);

/** The user of this name; undefined where there is none or it may not use the console. */
export async function readCandidate(sql: Sql, username: string): Promise<Candidate | undefined> {
  if (username.includes('\0')) return undefined;
  const [row] = await sql<Candidate>(CANDIDATE, [username]);
  return row;
}

const CLEAR = statement('sessions.clear', `delete from console_sessions s where not (${LIVE})`);
const OPEN = statement(
  'sessions.open',
  `insert into console_sessions (id_hash, username, credentials_version)
   select decode($1, 'hex'), u.username, u.credentials_version from users u
   where u.username = $2 and u.password_hash = $3 and ${MAY_ENTER} returning 1 as opened`,
);

/**
 * Opens a session under the hash (hex) of its id, and removes those that have ended. Returns false, and opens none, if the
 * user has changed since the password was checked.
 */
export async function openSession(
  sql: Sql,
  idHash: string,
  { username, passwordHash }: Candidate,
): Promise<boolean> {
  await sql(CLEAR, []);
  return (await sql(OPEN, [idHash, username, passwordHash])).length > 0;
}

const USER = statement(
  'sessions.user',
  `with seen as (
    update console_sessions s set last_seen_at = now()
    where id_hash = decode($1, 'hex') and ${LIVE} and last_seen_at < now() - interval '1 minute')
  select u.username, u.role, u.credentials_version::text as "credentialsVersion"
  from console_sessions s join users u using (username, credentials_version)
  where s.id_hash = decode($1, 'hex') and ${LIVE} and ${MAY_ENTER}`,
);

/**
 * The user of a live session. A session ends when the user's password, role or `active` is changed, even if it is changed
 * back, and when the user is deleted, even if it is created again. Notes one request a minute.
 */
export async function sessionUser(sql: Sql, idHash: string): Promise<SessionUser | undefined> {
  const [user] = await sql<SessionUser>(USER, [idHash]);
  return user;
}

const STILL_OPERATOR = statement(
  'sessions.still-operator',
  `select 1 as found from users u
   where username = $1 and credentials_version = $2::uuid and u.active and u.role = 'operator'`,
);

/** Whether the user is still an operator, with nothing changed since `credentialsVersion`. */
export async function isStillOperator(
  sql: Sql,
  { username, credentialsVersion }: Pick<SessionUser, 'username' | 'credentialsVersion'>,
): Promise<boolean> {
  return (await sql(STILL_OPERATOR, [username, credentialsVersion])).length > 0;
}

const CLOSE = statement('sessions.close', `delete from console_sessions where id_hash = decode($1, 'hex')`);

export async function closeSession(sql: Sql, idHash: string): Promise<void> {
  await sql(CLOSE, [idHash]);
}
