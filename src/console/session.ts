import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { closeSession, openSession, type SessionUser, sessionUser } from '../store/sessions.ts';
import type { Sql } from '../store/sql.ts';

/** A request of somebody who is signed in. */
export interface Session extends SessionUser {
  idHash: string;
  /** What every form of this session carries. */
  csrf: string;
}

const COOKIE = 'cdr_desk';
const SECONDS = 12 * 3600;

/** Opens a session and returns its cookie; the database learns only the hash of what stands in it. */
export async function signIn(sql: Sql, username: string, isSecure: boolean): Promise<string> {
  const id = randomBytes(32).toString('base64url');
  await openSession(sql, hashOf(id), username);
  return cookieOf(id, SECONDS, isSecure);
}

export async function signOut(sql: Sql, { idHash }: Session): Promise<string> {
  await closeSession(sql, idHash);
  return cookieOf('', 0, false);
}

export async function readSession(sql: Sql, request: IncomingMessage): Promise<Session | undefined> {
  const id = new RegExp(`(?:^|; )${COOKIE}=([\\w-]{43})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1];
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

function cookieOf(value: string, seconds: number, isSecure: boolean): string {
  const secure = isSecure ? '; Secure' : '';
  return `${COOKIE}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
