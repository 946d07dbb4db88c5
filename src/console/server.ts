import type { IncomingMessage } from 'node:http';
import { InvalidInput } from '../input.ts';
import { type BoundedServer, serveBounded } from '../ops/bounded-server.ts';
import { type ClientAddress, clientOf, trustedProxies } from '../ops/client.ts';
import { css, js } from './assets.ts';
import { Background } from './background.ts';
import type { ConsoleContext } from './context.ts';
import { readForm } from './form.ts';
import { type ConsoleResponse, errorPage, send, type Visit } from './respond.ts';
import { route } from './routes.ts';
import { endSession, endSessionOf, isOwnForm, isSameSite, readSession, type Session } from './session.ts';
import { createSignIn } from './sign-in.ts';
import { askedToSignIn, withoutSession } from './signed-out.ts';

export interface ConsoleOptions {
  host: string;
  port: number;
  /** Addresses or networks whose X-Forwarded-… headers are trusted. */
  trustedProxies: readonly string[];
  context: ConsoleContext;
  /** Describes a failure in one line, without any value of a call. */
  describe: (error: unknown) => string;
  log: (fields: object, message: string) => void;
  /** Told of a request that failed: its path and why. */
  onFailure: (path: string | undefined, description: string) => void;
}

interface Handled {
  response: ConsoleResponse;
  /** Of a signed-in user. */
  visit?: Visit;
}

const PER_SECOND = 100;
const REQUEST_MS = 10_000;
const SILENT_MS = 60_000;
/** How long the end of the console waits for replays in flight. */
const STOP_MS = 10_000;

/** Serves the console. Rejects if it cannot listen on the port. */
export async function serveConsole(options: ConsoleOptions): Promise<BoundedServer> {
  const { host, port, describe, log, onFailure } = options;
  const background = new Background();
  const handle = createHandler(options, background);
  const isTrusted = trustedProxies(options.trustedProxies);
  const bounds = {
    host,
    port,
    methods: ['GET', 'HEAD', 'POST'],
    perSecond: PER_SECOND,
    requestMs: REQUEST_MS,
    silentMs: SILENT_MS,
    clientOf: (request: IncomingMessage) => clientOf(request, isTrusted).address,
  };
  let hasWarned = false;
  const server = await serveBounded(bounds, (request, response) => {
    const client = clientOf(request, isTrusted);
    if (client.isUnbelieved && !hasWarned) {
      hasWarned = true;
      const { address } = client;
      log({ address }, 'X-Forwarded-For of this address is ignored: see CONSOLE_TRUSTED_PROXIES');
    }
    const fail = (error: unknown): Handled => {
      if (!request.destroyed || request.complete) onFailure(request.url?.split('?')[0], describe(error));
      // The user may not be signed in, so the page tells no details.
      return { response: errorPage(500, 'Internal error', 'The console is not available at the moment.') };
    };
    handle(request, client)
      .catch(fail)
      .then((handled) => send(response, handled.response, handled.visit))
      // Only a file can fail while it is sent. Its reader sees the connection break off.
      .catch((error: unknown) => {
        if (!hasGone(error)) onFailure(request.url?.split('?')[0], describe(error));
        response.destroy();
      });
  });
  return {
    port: server.port,
    close: async () => {
      await Promise.all([background.stop(STOP_MS), server.close()]);
    },
  };
}

/** Handles one request: assets, sign-in and sign-out here, everything else by its route. */
function createHandler({ context, describe, log, onFailure }: ConsoleOptions, background: Background) {
  const signIn = createSignIn(context.sql, log, describe);

  async function handleSignedIn(
    method: 'GET' | 'POST',
    url: URL,
    form: URLSearchParams,
    session: Session,
    { isHttps }: ClientAddress,
  ): Promise<ConsoleResponse> {
    if (method === 'POST' && !isOwnForm(session, form))
      return errorPage(403, 'Refused', 'This form has expired. Go back, reload the page and try again.');
    if (method === 'POST' && url.pathname === '/sign-out')
      return { kind: 'redirect', to: '/sign-in', cookie: await endSession(context.sql, session, isHttps) };
    try {
      return await route(method, { url, form, session, context, background });
    } catch (error) {
      if (error instanceof InvalidInput) return errorPage(400, 'Invalid request', error.message);
      onFailure(url.pathname, describe(error));
      return errorPage(500, 'Internal error', describe(error));
    }
  }

  return async function handle(request: IncomingMessage, client: ClientAddress): Promise<Handled> {
    const url = urlOf(request);
    if (url === undefined) return { response: errorPage(400, 'Invalid request', 'There is no such page.') };
    const asset = assetAt(url.pathname);
    if (asset !== undefined) return { response: asset };
    const isPost = request.method === 'POST';
    if (isPost && !isSameSite(request))
      return { response: errorPage(403, 'Refused', 'This form comes from another site.') };
    const sent = isPost ? await readForm(request) : undefined;
    if (sent?.kind === 'refused') return { response: refusedForm(sent.status) };
    const form = sent?.form ?? new URLSearchParams();
    if (url.pathname === '/sign-in') {
      const response = isPost ? await signIn(form, client) : askedToSignIn(url);
      // A new session replaces the one before.
      if (response.kind === 'redirect') await endSessionOf(context.sql, request, client.isHttps);
      return { response };
    }
    const session = await readSession(context.sql, request, client.isHttps);
    if (session === undefined) return { response: withoutSession(request, url) };
    const visit = { session, path: url.pathname };
    return { visit, response: await handleSignedIn(isPost ? 'POST' : 'GET', url, form, session, client) };
  };
}

/** Whether a file was not read to its end. */
function hasGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** Undefined for a target that is not a path, such as `*` or another host, or that cannot be parsed. */
function urlOf({ url: target = '' }: IncomingMessage): URL | undefined {
  const text = `http://console${target}`;
  return target.startsWith('/') && URL.canParse(text) ? new URL(text) : undefined;
}

function assetAt(path: string): ConsoleResponse | undefined {
  if (path === '/assets/console.css') return { kind: 'text', type: 'text/css; charset=utf-8', text: css };
  if (path === '/assets/console.js')
    return { kind: 'text', type: 'text/javascript; charset=utf-8', text: js };
  return path === '/favicon.ico' ? { kind: 'text', type: 'image/x-icon', text: '', status: 204 } : undefined;
}

function refusedForm(status: 413 | 415): ConsoleResponse {
  return status === 413
    ? errorPage(status, 'Form too large', 'The form is larger than the console accepts.')
    : errorPage(status, 'Refused', 'Unsupported form.');
}
