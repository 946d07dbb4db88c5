import type { Confinement } from '../domain/confinement.ts';
import { activityOf } from './activity.ts';
import { type Sql, statement } from './sql.ts';

/** A row of `users` as authentication needs it. */
export interface StoredUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
  /** Null where it may submit calls of any machine and customer. */
  confinement: Confinement | null;
}

export const ROLES = ['system', 'commerce', 'operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** The columns of a confinement; null allows all. */
interface Lists {
  machines: string[] | null;
  customers: number[] | null;
}

const READ = statement(
  'users.read',
  `select username, password_hash as "passwordHash", role, active, machines, customers
   from unnest($1::text[]) as wanted(username) join users using (username)`,
);

/** The users of these names that exist, by name. */
export async function readUsers(sql: Sql, usernames: readonly string[]): Promise<Map<string, StoredUser>> {
  const rows = await sql<Omit<StoredUser, 'confinement'> & Lists>(READ, [usernames]);
  return new Map(
    rows.map(({ machines, customers, ...user }) => [
      user.username,
      { ...user, confinement: confinementOf({ machines, customers }) },
    ]),
  );
}

function confinementOf({ machines, customers }: Lists): Confinement | null {
  if (machines === null && customers === null) return null;
  return { machines: machines && new Set(machines), customers: customers && new Set(customers) };
}

/** The new values of a user. A part of the confinement that is left out stays as it is; null is any. */
export interface UserChange extends Partial<Lists> {
  username: string;
  passwordHash: string;
  role: Role;
  /** How often the user is heard of at least; null says nothing, and left out it stays as it is. */
  everySeconds?: number | null;
  /** If false, a user of another role is left unchanged. */
  mayChangeRole?: boolean;
}

/** Users are made and changed on a command line, where nobody signs in. */
const byCommand = { who: 'null', program: `'command'` };

/** The activity says what it was before only of the role: nothing else of it opens a door. */
const changeDetail = `jsonb_strip_nulls(jsonb_build_object('user', username, 'role', role,
  'role_before', (select nullif(before.role, upserted.role) from before), 'machines', machines, 'customers', customers,
  'every_seconds', every_seconds))`;

const UPSERT = statement(
  'users.upsert',
  `with before as materialized (select role from users where username = $1),
   upserted as (insert into users as u (username, password_hash, role, machines, customers, every_seconds)
   values ($1, $2, $3, $4::text[], $5::int[], $9::int)
   on conflict (username) do update set password_hash = excluded.password_hash, role = excluded.role, active = true,
     updated_at = now(), machines = case when $6 then excluded.machines else u.machines end,
     customers = case when $7 then excluded.customers else u.customers end,
     every_seconds = case when $10 then excluded.every_seconds else u.every_seconds end
   where u.role = excluded.role or $8
   returning username, role, machines, customers, every_seconds),
   added as (${activityOf('user added', { ...byCommand, detail: changeDetail }, 'from upserted where not exists (select from before)')}),
   changed as (${activityOf('user changed', { ...byCommand, detail: changeDetail }, 'from upserted where exists (select from before)')})
   select username from upserted`,
);

/**
 * Creates a user, or gives an existing one this password and role and activates it. Returns false, and changes nothing, if
 * it has another role that must not be changed.
 */
export async function upsertUser(sql: Sql, change: UserChange): Promise<boolean> {
  const { username, passwordHash, role, machines, customers, everySeconds, mayChangeRole = true } = change;
  const rows = await sql(UPSERT, [
    username,
    passwordHash,
    role,
    machines ?? null,
    customers ?? null,
    machines !== undefined,
    customers !== undefined,
    mayChangeRole,
    everySeconds ?? null,
    everySeconds !== undefined,
  ]);
  return rows.length > 0;
}

const ROLE = statement('users.role', 'select role from users where username = $1');

/** The role of a user; undefined where there is none of this name. */
export async function roleOf(sql: Sql, username: string): Promise<string | undefined> {
  return (await sql<{ role: string }>(ROLE, [username]))[0]?.role;
}

/** A row of `users` without its hash. */
export interface ListedUser extends Lists {
  username: string;
  role: string;
  active: boolean;
  /** How often it is heard of at least; null where nobody says. */
  everySeconds: number | null;
  updatedAt: Date;
}

const LIST = statement(
  'users.list',
  `select username, role, active, machines, customers, every_seconds as "everySeconds", updated_at as "updatedAt"
   from users order by username`,
);

/** Every user, by name. */
export function listUsers(sql: Sql): Promise<ListedUser[]> {
  return sql<ListedUser>(LIST, []);
}

const DISABLE = statement(
  'users.disable',
  `with disabled as (update users set active = false, updated_at = now() where username = $1 returning username),
   noted as (${activityOf('user disabled', { ...byCommand, detail: `jsonb_build_object('user', username)` }, 'from disabled')})
   select username from disabled`,
);

/** Disables a user. False if there is none of this name. */
export async function disableUser(sql: Sql, username: string): Promise<boolean> {
  return (await sql(DISABLE, [username])).length > 0;
}
