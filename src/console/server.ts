import type { IncomingMessage } from 'node:http';
import { SelectionError } from '../dead-letters/selection.ts';
import { type BoundedServer, serveBounded } from '../ops/bounded-server.ts';
import { type ClientAddress, clientOf, trustedProxies } from '../ops/client.ts';
import { css, js } from './assets.ts';
import type { ConsoleContext } from './desk.ts';
import { readForm } from './form.ts';
import { Jobs } from './jobs.ts';
import { type Answer, problem, send } from './respond.ts';
import { visit } from './routes.ts';
import { isOwnForm, isSameSite, leaveSession, readSession, type Session, signOut } from './session.ts';
import { createSignIn, signInPage } from './sign-in.ts';

export interface ConsoleOptions {
  host: string;
  port: number;
  /** Addresses or networks whose X-Forwarded-… headers are believed. */
  trustedProxies: readonly string[];
  context: ConsoleContext;
  /** One line of a failure that shows no value of a call. */
  describe: (error: unknown) => string;
  log: (fields: object, message: string) => void;
}

interface Answered {
  answer: Answer;
  session?: Session | undefined;
}

const PER_SECOND = 100;
const REQUEST_MS = 10_000;
/** Trying out thousands of calls takes minutes without a word. */
const SILENT_MS = 600_000;

/** Serves the console. Rejects when the port cannot be had. */
export async function serveConsole(options: ConsoleOptions): Promise<BoundedServer> {
  const { context, describe, log } = options;
  const jobs = new Jobs();
  const isTrusted = trustedProxies(options.trustedProxies);
  const tryIn = createSignIn(context.sql, log);
  let hasWarned = false;

  async function answer(request: IncomingMessage, client: ClientAddress): Promise<Answered> {
    const url = urlOf(request);
    if (url === undefined) return { answer: problem(400, 'Not found', 'There is no such page.') };
    const asset = assetAt(url.pathname);
    if (asset !== undefined) return { answer: asset };
    const isPost = request.method === 'POST';
    if (isPost && !isSameSite(request))
      return { answer: problem(403, 'Refused', 'This form comes from another site.') };
    const sent = isPost ? await readForm(request) : undefined;
    if (sent?.kind === 'refused')
      return { answer: problem(sent.status, 'Refused', 'This is not a form of this console, or too large.') };
    const form = sent?.form ?? new URLSearchParams();
    if (url.pathname === '/sign-in') {
      const entered = isPost ? await tryIn(form, client) : signInPage(200, null);
      // Whoever signs in anew has no use for the session before.
      if (entered.kind === 'go') await leaveSession(context.sql, request, client.isHttps);
      return { answer: entered };
    }
    const session = await readSession(context.sql, request, client.isHttps);
    if (session === undefined) return { answer: unknownVisitor(url) };
    return { session, answer: await answerKnown(isPost ? 'POST' : 'GET', url, form, session, client) };
  }

  async function answerKnown(
    method: 'GET' | 'POST',
    url: URL,
    form: URLSearchParams,
    session: Session,
    { isHttps }: ClientAddress,
  ): Promise<Answer> {
    if (method === 'POST' && !isOwnForm(session, form))
      return problem(403, 'Refused', 'This form is out of date: go back and load the page again.');
    if (method === 'POST' && url.pathname === '/sign-out')
      return { kind: 'go', to: '/sign-in', cookie: await signOut(context.sql, session, isHttps) };
    try {
      return await visit(method, { url, form, session, context, jobs });
    } catch (error) {
      if (error instanceof SelectionError) return problem(400, 'That does not go', error.message);
      log({ path: url.pathname }, describe(error));
      return problem(500, 'Something failed', describe(error));
    }
  }

  const server = await serveBounded(
    {
      host: options.host,
      port: options.port,
      methods: ['GET', 'HEAD', 'POST'],
      perSecond: PER_SECOND,
      requestMs: REQUEST_MS,
      silentMs: SILENT_MS,
      clientOf: (request) => clientOf(request, isTrusted).address,
    },
    (request, response) => {
      const client = clientOf(request, isTrusted);
      if (client.isUnbelieved && !hasWarned) {
        hasWarned = true;
        log(
          { address: client.address },
          'X-Forwarded-For of this address is not believed: see CONSOLE_TRUSTED_PROXIES',
        );
      }
      answer(request, client).then(
        (found) => send(response, found.answer, found.session),
        (error: unknown) => {
          // A sender that broke off hears nothing any more; who is not signed in is told nothing of what failed.
          if (request.destroyed && !request.complete) return response.destroy();
          log({ path: request.url?.split('?')[0] }, describe(error));
          send(
            response,
            problem(500, 'Something failed', 'The console cannot work at the moment.'),
            undefined,
          );
        },
      );
    },
  );
  return {
    port: server.port,
    close: async () => {
      for (const job of jobs.all) job.stop.abort();
      await server.close();
    },
  };
}

/** Undefined where it is no path: `*`, another host, or nothing that can be read. */
function urlOf({ url: target = '' }: IncomingMessage): URL | undefined {
  const text = `http://console${target}`;
  return target.startsWith('/') && URL.canParse(text) ? new URL(text) : undefined;
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
