import { DUMMY_HASH, verifyPassword } from '../auth/password.ts';
import type { ClientAddress } from '../ops/client.ts';
import { readCandidate } from '../store/sessions.ts';
import { clearAttempts, countAttempt, countSuccess, uncount } from '../store/sign-in.ts';
import type { Sql } from '../store/sql.ts';
import { HashTurns } from './hash-turns.ts';
import { html } from './html.ts';
import type { Answer } from './respond.ts';
import { signIn } from './session.ts';

/** Seconds after which it can be tried again. */
const BLOCKED_SECONDS = 300;
const BUSY_SECONDS = 5;
const PASSWORD_MAX_BYTES = 1024;
const CLEAR_EVERY_MS = 60_000;

/**
 * Takes sign-ins: an attempt is counted in the database before anything of it is looked at, the password is looked at in
 * its turn, and the session is opened only if the user is still the one whose password that was.
 */
export function createSignIn(sql: Sql, log: (fields: object, message: string) => void) {
  const turns = new HashTurns();
  let clearedAt = Number.NEGATIVE_INFINITY;

  async function clear(): Promise<void> {
    if (performance.now() - clearedAt < CLEAR_EVERY_MS) return;
    clearedAt = performance.now();
    await clearAttempts(sql);
  }

  return async function tryIn(form: URLSearchParams, { address, isHttps }: ClientAddress): Promise<Answer> {
    const [username, password] = [
      (form.get('username') ?? '').replaceAll('\0', '\uFFFD'),
      form.get('password') ?? '',
    ];
    const claim = { username, address };
    await clear();
    const attempt = await countAttempt(sql, claim);
    if (attempt.kind === 'blocked')
      return signInPage(429, 'Too many attempts: wait five minutes.', BLOCKED_SECONDS);
    const user = await readCandidate(sql, username);
    const isShort = Buffer.byteLength(password) <= PASSWORD_MAX_BYTES;
    // Whoever does not exist is measured against a hash that nothing matches, for the sake of time.
    const isRight = await turns.run(address, attempt.isKnown, () =>
      verifyPassword(user?.passwordHash ?? DUMMY_HASH, isShort ? password : ''),
    );
    if (isRight === null) {
      await uncount(sql, claim);
      return signInPage(503, 'Many are signing in: try again in a moment.', BUSY_SECONDS);
    }
    const cookie = isRight && isShort && user !== undefined ? await signIn(sql, user, isHttps) : undefined;
    // A name that is nobody's may be a password, typed in the wrong field.
    log({ username: user?.username ?? null, address, signedIn: cookie !== undefined }, 'sign-in');
    if (cookie === undefined)
      return signInPage(401, 'These are not the credentials of an operator or a viewer.');
    await countSuccess(sql, claim);
    return { kind: 'go', to: '/', cookie };
  };
}

export function signInPage(status: number, message: string | null, retryAfter?: number): Answer {
  return {
    kind: 'page',
    status,
    title: 'Sign in',
    ...(retryAfter !== undefined && { retryAfter }),
    body: html`${message && html`<p role="alert" class="problem">${message}</p>`}
<form class="act" method="post" action="/sign-in">
<label>Username <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button class="main">Sign in</button></form>`,
  };
}
