import type { PrismaClient } from './generated/client.ts';

/** A row of `users` as authentication needs it. */
export interface StoredUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
}

export const ROLES = ['system', 'operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

type Client = Pick<PrismaClient, 'user'>;

/** The users of these names that exist, by name; one query. */
export async function readUsers(
  { user }: Client,
  usernames: readonly string[],
): Promise<Map<string, StoredUser>> {
  const rows = await user.findMany({
    where: { username: { in: [...usernames] } },
    select: { username: true, passwordHash: true, role: true, active: true },
  });
  return new Map(rows.map((row) => [row.username, row]));
}

/** Creates a user, or gives an existing one this password and role and makes it active again. */
export async function upsertUser(
  { user }: Client,
  { username, passwordHash, role }: { username: string; passwordHash: string; role: Role },
): Promise<void> {
  const values = { passwordHash, role, active: true, updatedAt: new Date() };
  await user.upsert({ where: { username }, create: { username, ...values }, update: values });
}

/** Every user without its hash, in the order of names. */
export function listUsers({ user }: Client) {
  const select = { username: true, role: true, active: true, updatedAt: true };
  return user.findMany({ select, orderBy: { username: 'asc' } });
}

/** Shuts a user out. False if there is none of this name. */
export async function disableUser({ user }: Client, username: string): Promise<boolean> {
  const { count } = await user.updateMany({
    where: { username },
    data: { active: false, updatedAt: new Date() },
  });
  return count > 0;
}
