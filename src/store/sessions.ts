import type { Sql } from './sql.ts';

/** Who is signed in. */
export interface SessionUser {
  username: string;
  role: 'operator' | 'viewer';
}

/** A session ends after 12 hours, and after one without a request. */
const LIVE = `s.created_at > now() - interval '12 hours' and s.last_seen_at > now() - interval '1 hour'`;

/** Opens a session under the hash (hex) of its id, and clears away those that have ended. */
export async function openSession(sql: Sql, idHash: string, username: string): Promise<void> {
  await sql(`delete from console_sessions s where not (${LIVE})`, []);
  await sql(`insert into console_sessions (id_hash, username) values (decode($1, 'hex'), $2)`, [
    idHash,
    username,
  ]);
}

/**
 * The user of a live session. A user who was disabled, or has another role by now, is not signed in any more. A
 * request a minute is noted.
 */
export async function sessionUser(sql: Sql, idHash: string): Promise<SessionUser | undefined> {
  const [user] = await sql<SessionUser>(
    `with seen as (
      update console_sessions s set last_seen_at = now()
      where id_hash = decode($1, 'hex') and ${LIVE} and last_seen_at < now() - interval '1 minute')
    select u.username, u.role from console_sessions s join users u using (username)
    where s.id_hash = decode($1, 'hex') and ${LIVE} and u.active and u.role in ('operator', 'viewer')`,
    [idHash],
  );
  return user;
}

export async function closeSession(sql: Sql, idHash: string): Promise<void> {
  await sql(`delete from console_sessions where id_hash = decode($1, 'hex')`, [idHash]);
}
