import { createServer, type IncomingMessage } from 'node:http';
import { SelectionError } from '../desk/selection.ts';
import { css, js } from './assets.ts';
import type { ConsoleDesk } from './desk.ts';
import { html } from './html.ts';
import { Jobs } from './jobs.ts';
import { type Answer, problem, send } from './respond.ts';
import { visit } from './routes.ts';
import { isOwnForm, isSameSite, readSession, type Session, signIn, signOut } from './session.ts';
import { SignInLimit } from './sign-in-limit.ts';

export interface ConsoleServer {
  port: number;
  close: () => Promise<void>;
}

export interface ConsoleOptions {
  host: string;
  port: number;
  desk: ConsoleDesk;
  /** One line of a failure that shows no value of a call. */
  describe: (error: unknown) => string;
  log: (fields: object, message: string) => void;
}

const FORM_BYTES = 65_536;

/** Serves the console. Rejects when the port cannot be had. */
export async function serveConsole(options: ConsoleOptions): Promise<ConsoleServer> {
  const { desk, describe, log } = options;
  const jobs = new Jobs();
  const limit = new SignInLimit(() => performance.now());

  async function answer(
    request: IncomingMessage,
  ): Promise<{ answer: Answer; session?: Session | undefined }> {
    const url = new URL(request.url ?? '/', 'http://console');
    const asset = assetAt(url.pathname);
    if (asset !== undefined) return { answer: asset };
    const isPost = request.method === 'POST';
    if (isPost && !isSameSite(request))
      return { answer: problem(403, 'Refused', 'This form comes from another site.') };
    const form = isPost ? await formOf(request) : new URLSearchParams();
    if (form === undefined) return { answer: problem(413, 'Too much', 'The form is too large.') };
    if (url.pathname === '/sign-in')
      return { answer: isPost ? await tryIn(request, form) : signInPage(200, null) };
    const session = await readSession(desk.sql, request);
    if (session === undefined) return { answer: unknownVisitor(url) };
    if (isPost && !isOwnForm(session, form))
      return {
        session,
        answer: problem(403, 'Refused', 'This form is out of date: go back and load the page again.'),
      };
    if (isPost && url.pathname === '/sign-out')
      return { answer: { kind: 'go', to: '/sign-in', cookie: await signOut(desk.sql, session) } };
    try {
      return { session, answer: await visit(request.method ?? 'GET', { url, form, session, desk, jobs }) };
    } catch (error) {
      if (!(error instanceof SelectionError)) throw error;
      return { session, answer: problem(400, 'That does not go', error.message) };
    }
  }

  async function tryIn(request: IncomingMessage, form: URLSearchParams): Promise<Answer> {
    const username = form.get('username') ?? '';
    const address = request.socket.remoteAddress ?? '';
    if (limit.isBlocked(username, address)) return signInPage(429, 'Too many attempts: wait five minutes.');
    const verdict = await desk.verify(username, form.get('password') ?? '');
    const isWelcome = verdict.kind === 'ok' && (verdict.role === 'operator' || verdict.role === 'viewer');
    log({ username: username.slice(0, 255), address, signedIn: isWelcome }, 'sign-in');
    if (!isWelcome) {
      limit.failed(username, address);
      return signInPage(401, 'These are not the credentials of an operator or a viewer.');
    }
    const isSecure = request.headers['x-forwarded-proto'] === 'https';
    return { kind: 'go', to: '/', cookie: await signIn(desk.sql, username, isSecure) };
  }

  const server = createServer((request, response) => {
    answer(request).then(
      (found) => send(response, found.answer, found.session),
      (error: unknown) => {
        log({ path: request.url?.split('?')[0] }, describe(error));
        send(response, problem(500, 'Something failed', describe(error)), undefined);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: async () => {
      for (const job of jobs.all) job.stop.abort();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function assetAt(path: string): Answer | undefined {
  if (path === '/assets/desk.css') return { kind: 'text', type: 'text/css; charset=utf-8', text: css };
  if (path === '/assets/desk.js') return { kind: 'text', type: 'text/javascript; charset=utf-8', text: js };
  return path === '/favicon.ico' ? { kind: 'text', type: 'image/x-icon', text: '', status: 204 } : undefined;
}

/** A page's own script wants to know; people want to sign in. */
function unknownVisitor({ pathname }: URL): Answer {
  if (!pathname.endsWith('.json')) return { kind: 'go', to: '/sign-in' };
  return { kind: 'text', status: 401, type: 'text/plain', text: 'signed out\n' };
}

function signInPage(status: number, message: string | null): Answer {
  return {
    kind: 'page',
    status,
    title: 'Sign in',
    body: html`${message && html`<p role="alert" class="problem">${message}</p>`}
<form class="act" method="post" action="/sign-in">
<label>Username <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button class="main">Sign in</button></form>`,
  };
}

/** Undefined where it is larger than any form of ours. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > FORM_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
