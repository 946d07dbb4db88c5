import type { ServerResponse } from 'node:http';
import { jsonText } from '../domain/printable.ts';
import { type Html, html } from './html.ts';
import type { Session } from './session.ts';

/** What a request is answered with. */
export type ConsoleResponse =
  /** `retryAfter` is in seconds. */
  | { kind: 'page'; title: string; body: Html; status?: number; script?: boolean; retryAfter?: number }
  /** 303 unless said otherwise: the browser continues with GET. 308 keeps the method and the form. */
  | { kind: 'redirect'; to: string; status?: 303 | 308; cookie?: string }
  | { kind: 'json'; value: unknown }
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

/** Writes a response. `session` is shown in the header of a page. */
export function send(target: ServerResponse, response: ConsoleResponse, session: Session | undefined): void {
  switch (response.kind) {
    case 'page':
      target
        .writeHead(response.status ?? 200, {
          ...HEADERS,
          'content-type': 'text/html; charset=utf-8',
          ...(response.retryAfter !== undefined && { 'retry-after': String(response.retryAfter) }),
        })
        .end(layout(response, session).text);
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
    default:
      response satisfies never;
  }
}

function layout(
  { title, body, script }: Extract<ConsoleResponse, { kind: 'page' }>,
  session: Session | undefined,
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · cdr-ingest</title>
<link rel="stylesheet" href="/assets/console.css">
${script && html`<script src="/assets/console.js" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<strong>cdr-ingest</strong>
${
  session &&
  html`<nav aria-label="Pages"><a href="/">Overview</a> <a href="/dead-letters">Dead letters</a> <a href="/replays">Replays</a> <a href="/feeds">Feeds</a></nav>
<form method="post" action="/sign-out">${csrfField(session)}<span>${session.username} (${session.role})</span> <button>Sign out</button></form>`
}
</header>
<main id="main">
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
  return { kind: 'page', status, title, body: html`<p role="alert" class="problem">${text}</p>` };
}
