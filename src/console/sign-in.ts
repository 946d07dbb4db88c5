import { DUMMY_HASH, verifyPassword } from '../auth/password.ts';
import type { ClientAddress } from '../ops/client.ts';
import { readCandidate } from '../store/sessions.ts';
import {
  clearAttempts,
  countAttempt,
  countSuccess,
  recordRefusal,
  type SignInAttempt,
  uncount,
} from '../store/sign-in.ts';
import type { Sql } from '../store/sql.ts';
import { notice } from './components.ts';
import { HashTurns } from './hash-turns.ts';
import { fieldValue, html } from './html.ts';
import { localPath } from './local-path.ts';
import type { ConsoleResponse } from './respond.ts';
import { startSession } from './session.ts';

/** Seconds after which a client may try again. */
const BLOCKED_SECONDS = 300;
const BUSY_SECONDS = 5;
const PASSWORD_MAX_BYTES = 1024;
const CLEAR_EVERY_MS = 60_000;

/**
 * Handles sign-ins. An attempt is counted in the database before anything else, so that replicas share the limits. The
 * password is verified in a queue, and the session is only started if the user has not changed meanwhile.
 */
export function createSignIn(
  sql: Sql,
  log: (fields: object, message: string) => void,
  describe: (error: unknown) => string,
) {
  const turns = new HashTurns();
  let clearedAt = Number.NEGATIVE_INFINITY;

  async function clear(): Promise<void> {
    if (performance.now() - clearedAt < CLEAR_EVERY_MS) return;
    clearedAt = performance.now();
    await clearAttempts(sql);
  }

  /** Waited for by nobody: a known name would take longer than an unknown one. */
  function noteRefusal(attempt: SignInAttempt): void {
    recordRefusal(sql, attempt).catch((error: unknown) => log({ act: 'sign-in refused' }, describe(error)));
  }

  return async function signIn(
    form: URLSearchParams,
    { address, isHttps }: ClientAddress,
  ): Promise<ConsoleResponse> {
    const [username, password] = [
      (form.get('username') ?? '').replaceAll('\0', '\uFFFD'),
      form.get('password') ?? '',
    ];
    const next = localPath(form.get('next')) ?? '/';
    const refuse = (status: number, message: string, retryAfter?: number) =>
      signInPage({ status, next, problem: message, ...(retryAfter !== undefined && { retryAfter }) });
    const claim = { username, address };
    await clear();
    const attempt = await countAttempt(sql, claim);
    if (attempt.kind === 'blocked')
      return refuse(429, 'Too many attempts. Try again in five minutes.', BLOCKED_SECONDS);
    const user = await readCandidate(sql, username);
    const isShort = Buffer.byteLength(password) <= PASSWORD_MAX_BYTES;
    // An unknown user takes as long as a known one: its password is verified against a hash that nothing matches.
    const isRight = await turns.run(address, attempt.isKnown, () =>
      verifyPassword(user?.passwordHash ?? DUMMY_HASH, isShort ? password : ''),
    );
    if (isRight === null) {
      await uncount(sql, claim);
      return refuse(503, 'Too many sign-ins at the moment. Try again in a few seconds.', BUSY_SECONDS);
    }
    const cookie =
      isRight && isShort && user !== undefined ? await startSession(sql, user, isHttps) : undefined;
    // An unknown name is not logged: it may be a password in the wrong field.
    log({ username: user?.username ?? null, address, signedIn: cookie !== undefined }, 'sign-in');
    if (cookie === undefined) {
      if (user !== undefined) noteRefusal({ ...claim, username: user.username });
      return refuse(401, 'Invalid username or password.');
    }
    await countSuccess(sql, claim);
    return { kind: 'redirect', to: next, cookie };
  };
}

export interface SignInPage {
  status?: number;
  /** Where the user wanted to go. */
  next: string;
  /** Why an attempt failed. */
  problem?: string;
  /** There was a session, which has ended. */
  hasEnded?: boolean;
  /** Seconds. */
  retryAfter?: number;
}

export function signInPage({
  status = 200,
  next,
  problem,
  hasEnded,
  retryAfter,
}: SignInPage): ConsoleResponse {
  return {
    kind: 'page',
    status,
    title: 'Sign in',
    ...(retryAfter !== undefined && { retryAfter }),
    body: html`${problem !== undefined && notice('problem', html`<p>${problem}</p>`)}
${hasEnded === true && notice('info', html`<p>Your session has ended. Sign in again to go on where you were.</p>`)}
<form class="act" method="post" action="/sign-in">
${next !== '/' && html`<input type="hidden" name="next" value="${fieldValue(next)}">`}
<label>Username <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button class="main">Sign in</button></form>`,
  };
}
