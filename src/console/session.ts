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

/** The session of a signed-in user. */
export interface Session extends SessionUser {
  idHash: string;
  /** The token in every form of this session. */
  csrf: string;
}

/** An earlier name of the console: another one would sign everybody out. */
const COOKIE = 'cdr_desk';
const SECONDS = 12 * 3600;

/**
 * Starts a session and returns its cookie, of which the database only gets a hash. Undefined if the user has changed
 * since the password was verified.
 */
export async function startSession(sql: Sql, user: Candidate, isHttps: boolean): Promise<string | undefined> {
  const id = randomBytes(32).toString('base64url');
  return (await openSession(sql, hashOf(id), user)) ? cookieOf(id, SECONDS, isHttps) : undefined;
}

/** Ends a session and returns the cookie that removes its own. */
export async function endSession(sql: Sql, { idHash }: Session, isHttps: boolean): Promise<string> {
  await closeSession(sql, idHash);
  return cookieOf('', 0, isHttps);
}

/** Whether a request has, or had, a session. */
export function hasCookie({ headers }: IncomingMessage): boolean {
  return (headers.cookie ?? '').includes(`${COOKIE}=`);
}

/** Ends the session that a request belongs to, if any. */
export async function endSessionOf(sql: Sql, { headers }: IncomingMessage, isHttps: boolean): Promise<void> {
  const id = sessionIdIn(headers.cookie ?? '', isHttps);
  if (id !== undefined) await closeSession(sql, hashOf(id));
}

/** The session that a request belongs to; undefined if there is none, or it has ended. */
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

/** Whether a form has the token of this session. */
export function isOwnForm(session: Session, form: URLSearchParams): boolean {
  const [given, expected] = [form.get('csrf') ?? '', session.csrf].map((text) => Buffer.from(text));
  return (
    given !== undefined &&
    expected !== undefined &&
    given.length === expected.length &&
    timingSafeEqual(given, expected)
  );
}

/** Whether a request comes from a page of this site. Browsers say so; other clients do not send cookies by accident. */
export function isSameSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Undefined if there are two cookies of this name: another site has set one of them, and either may be it. */
function sessionIdIn(cookies: string, isHttps: boolean): string | undefined {
  const name = `${nameOf(isHttps)}=`;
  const [value, ...others] = cookies.split(/; */).filter((cookie) => cookie.startsWith(name));
  const id = value?.slice(name.length);
  return id !== undefined && others.length === 0 && /^[\w-]{43}$/.test(id) ? id : undefined;
}

/** Browsers accept the prefix `__Host-` only from this host and over TLS, so no neighbouring site can set the cookie. */
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
