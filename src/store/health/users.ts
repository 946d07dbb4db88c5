import { type Sql, statement } from '../sql.ts';

/** A user whose calls a worker takes, while it is active. */
export interface ActiveUser {
  username: string;
  passwordHash: string;
}

const ACTIVE_USERS = statement(
  'health.active-system-users',
  `select username, password_hash as "passwordHash" from users where role = 'system' and active order by username limit 1000`,
);

/** Reads the active `system` users, a thousand at most. Throws what the database throws. */
export async function readActiveUsers(sql: Sql): Promise<ActiveUser[]> {
  return await sql<ActiveUser>(ACTIVE_USERS, []);
}
