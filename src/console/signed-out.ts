import type { IncomingMessage } from 'node:http';
import { html } from './html.ts';
import { localPath } from './local-path.ts';
import type { ConsoleResponse } from './respond.ts';
import { hasCookie } from './session.ts';
import { signInPage } from './sign-in.ts';

/** The sign-in page, for somebody who was sent there or came by himself. */
export function askedToSignIn({ searchParams }: URL): ConsoleResponse {
  const next = localPath(searchParams.get('next')) ?? '/';
  return signInPage({ next, hasEnded: searchParams.has('ended') });
}

/**
 * A link on another site comes without the cookie, which is for requests of this site alone (SameSite=Strict), so the browser is
 * asked to come again from here.
 */
export function withoutSession(request: IncomingMessage, url: URL): ConsoleResponse {
  const path = localPath(`${url.pathname}${url.search}`);
  const isLink = request.method === 'GET' && request.headers['sec-fetch-site'] === 'cross-site';
  if (!isLink || path === undefined || hasCookie(request)) return signedOut(request, url);
  const body = html`<p><a href="${path}">Continue</a></p>`;
  return { kind: 'page', title: 'One moment', body, continueTo: path };
}

/**
 * People are sent to the sign-in page, and from there to where they wanted to go; the script of a page reloads it on 401. A form
 * is not sent again after somebody has signed in, perhaps as somebody else: the page that it was on is shown.
 */
function signedOut(request: IncomingMessage, url: URL): ConsoleResponse {
  if (url.pathname.endsWith('.json'))
    return { kind: 'text', status: 401, type: 'text/plain', text: 'signed out\n' };
  const wanted = request.method === 'POST' ? pageOf(request) : localPath(`${url.pathname}${url.search}`);
  const query = new URLSearchParams({
    ...(wanted !== undefined && wanted !== '/' && { next: wanted }),
    ...(hasCookie(request) && { ended: '1' }),
  }).toString();
  return { kind: 'redirect', to: query === '' ? '/sign-in' : `/sign-in?${query}` };
}

/** The page of the console that a form was on. */
function pageOf({ headers: { referer = '', host } }: IncomingMessage): string | undefined {
  if (!URL.canParse(referer) || new URL(referer).host !== host) return undefined;
  const { pathname, search } = new URL(referer);
  return localPath(`${pathname}${search}`);
}
