import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type Candidate,
  closeSession,
  openSession,
  type SessionUser,
  sessionUser,
} from '../store/sessions.ts';
import type { Sql } from '../store/sql.ts';

/** A request of somebody who is signed in. */
export interface Session extends SessionUser {
  idHash: string;
  /** What every form of this session carries. */
  csrf: string;
}

const COOKIE = 'cdr_desk';
const SECONDS = 12 * 3600;

/**
 * Opens a session and returns its cookie; the database learns only the hash of what stands in it. Undefined where the
 * user has changed since the password was looked at.
 */
export async function signIn(sql: Sql, user: Candidate, isHttps: boolean): Promise<string | undefined> {
  const id = randomBytes(32).toString('base64url');
  return (await openSession(sql, hashOf(id), user)) ? cookieOf(id, SECONDS, isHttps) : undefined;
}

export async function signOut(sql: Sql, { idHash }: Session, isHttps: boolean): Promise<string> {
  await closeSession(sql, idHash);
  return cookieOf('', 0, isHttps);
}

/** Ends the session that a request comes with, if it comes with one. */
export async function leaveSession(sql: Sql, { headers }: IncomingMessage, isHttps: boolean): Promise<void> {
  const id = sessionIdIn(headers.cookie ?? '', isHttps);
  if (id !== undefined) await closeSession(sql, hashOf(id));
}

export async function readSession(
  sql: Sql,
  { headers }: IncomingMessage,
  isHttps: boolean,
): Promise<Session | undefined> {
  const id = sessionIdIn(headers.cookie ?? '', isHttps);
  if (id === undefined) return undefined;
  const idHash = hashOf(id);
  const user = await sessionUser(sql, idHash);
  const csrf = createHmac('sha256', id).update('form').digest('base64url');
  return user === undefined ? undefined : { ...user, idHash, csrf };
}

export function isOwnForm(session: Session, form: URLSearchParams): boolean {
  const [given, expected] = [form.get('csrf') ?? '', session.csrf].map((text) => Buffer.from(text));
  return (
    given !== undefined &&
    expected !== undefined &&
    given.length === expected.length &&
    timingSafeEqual(given, expected)
  );
}

/** Browsers say where a form comes from; what does not say it is no browser, and has no cookie by accident. */
export function isSameSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Two of one name: the other one was put there by somebody else, and nobody can say which is which. */
function sessionIdIn(cookies: string, isHttps: boolean): string | undefined {
  const name = `${nameOf(isHttps)}=`;
  const [value, ...others] = cookies.split(/; */).filter((cookie) => cookie.startsWith(name));
  const id = value?.slice(name.length);
  return id !== undefined && others.length === 0 && /^[\w-]{43}$/.test(id) ? id : undefined;
}

/** Browsers take the prefix only from the very host, over TLS: no neighbouring site can set it. */
function nameOf(isHttps: boolean): string {
  return isHttps ? `__Host-${COOKIE}` : COOKIE;
}

function cookieOf(value: string, seconds: number, isHttps: boolean): string {
  const secure = isHttps ? '; Secure' : '';
  return `${nameOf(isHttps)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
