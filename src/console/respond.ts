import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { jsonText } from '../domain/printable.ts';
import { notice } from './components.ts';
import { type Html, html } from './html.ts';
import type { Session } from './session.ts';

interface Page {
  kind: 'page';
  title: string;
  body: Html;
  status?: number;
  /** Seconds. */
  retryAfter?: number;
  /** The path to go to at once. Other than with a redirect, the browser then comes from this site. */
  continueTo?: string;
}

/** What a request is answered with. */
export type ConsoleResponse =
  | Page
  /** 303 unless said otherwise: the browser continues with GET. 308 keeps the method and the form. */
  | { kind: 'redirect'; to: string; status?: 303 | 308; cookie?: string }
  | { kind: 'json'; value: unknown }
  /** To be saved under a name. It is read as fast as it is taken. */
  | { kind: 'file'; type: string; name: string; chunks: AsyncIterable<string> }
  | { kind: 'text'; type: string; text: string; status?: number };

/** No inline or foreign code, no frames; forms and requests only to the console itself. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Who is shown a page, and where it is. */
export interface Visit {
  session: Session;
  path: string;
}

/** Writes a response. `visit` is shown in the header of a page; undefined for somebody who is not signed in. */
export async function send(
  target: ServerResponse,
  response: ConsoleResponse,
  visit: Visit | undefined,
): Promise<void> {
  switch (response.kind) {
    case 'page':
      target
        .writeHead(response.status ?? 200, {
          ...HEADERS,
          'content-type': 'text/html; charset=utf-8',
          ...(response.retryAfter !== undefined && { 'retry-after': String(response.retryAfter) }),
          ...(response.continueTo !== undefined && { refresh: `0; url=${response.continueTo}` }),
        })
        .end(layout(response, visit).text);
      return;
    case 'redirect':
      target
        .writeHead(response.status ?? 303, {
          ...HEADERS,
          location: response.to,
          ...(response.cookie && { 'set-cookie': response.cookie }),
        })
        .end();
      return;
    case 'json':
      target.writeHead(200, { ...HEADERS, 'content-type': 'application/json' }).end(jsonText(response.value));
      return;
    case 'text':
      target
        .writeHead(response.status ?? 200, { ...HEADERS, 'content-type': response.type })
        .end(response.text);
      return;
    case 'file':
      target.writeHead(200, {
        ...HEADERS,
        'content-type': response.type,
        'content-disposition': `attachment; filename="${response.name}"`,
      });
      // The connection ends early where the rest cannot be read, so that nobody takes a part for the whole.
      return await pipeline(Readable.from(response.chunks), target);
    default:
      response satisfies never;
  }
}

/** The pages, and what belongs to them beside what is below them. */
const PAGES: readonly (readonly [path: string, name: string, ...others: string[]])[] = [
  ['/', 'Overview'],
  ['/dead-letters', 'Dead letters', '/discard', '/discarded', '/reopen', '/correct'],
  ['/replays', 'Replays', '/dry-run', '/replay'],
  ['/calls', 'Calls', '/call'],
  ['/feeds', 'Feeds'],
  ['/activity', 'Activity'],
];

function isAt(pages: readonly string[], { path }: Visit): boolean {
  return pages.some((page) => path === page || (page !== '/' && path.startsWith(`${page}/`)));
}

function layout({ title, body }: Page, visit: Visit | undefined): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · cdr-ingest</title>
<link rel="stylesheet" href="/assets/console.css">
${visit && html`<script src="/assets/console.js" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<strong>cdr-ingest</strong>
${
  visit &&
  html`<nav aria-label="Pages">${PAGES.map(([path, name, ...others]) => html`<a href="${path}" ${isAt([path, ...others], visit) && html`aria-current="page"`}>${name}</a> `)}</nav>
<form method="post" action="/sign-out">${csrfField(visit.session)}<span>${visit.session.username} (${visit.session.role})</span> <button>Sign out</button></form>`
}
</header>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
}

/** The token that shows that a form comes from a page of this session. */
export function csrfField({ csrf }: Pick<Session, 'csrf'>): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}">`;
}

export function errorPage(status: number, title: string, text: string): ConsoleResponse {
  return { kind: 'page', status, title, body: notice('problem', html`<p>${text}</p>`) };
}
