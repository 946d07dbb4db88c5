import type { ServerResponse } from 'node:http';
import { jsonText } from '../domain/printable.ts';
import { type Html, html } from './html.ts';
import type { Session } from './session.ts';

/** What a handler answers with. */
export type Answer =
  | { kind: 'page'; title: string; body: Html; status?: number; script?: boolean; retryAfter?: number }
  | { kind: 'go'; to: string; cookie?: string }
  | { kind: 'json'; value: unknown }
  | { kind: 'text'; type: string; text: string; status?: number };

/** No inline and no foreign code, no frames around it, forms and requests to itself alone. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function send(response: ServerResponse, answer: Answer, session: Session | undefined): void {
  switch (answer.kind) {
    case 'page':
      response
        .writeHead(answer.status ?? 200, {
          ...HEADERS,
          'content-type': 'text/html; charset=utf-8',
          ...(answer.retryAfter !== undefined && { 'retry-after': String(answer.retryAfter) }),
        })
        .end(layout(answer, session).text);
      return;
    case 'go':
      response
        .writeHead(303, {
          ...HEADERS,
          location: answer.to,
          ...(answer.cookie && { 'set-cookie': answer.cookie }),
        })
        .end();
      return;
    case 'json':
      response.writeHead(200, { ...HEADERS, 'content-type': 'application/json' }).end(jsonText(answer.value));
      return;
    case 'text':
      response.writeHead(answer.status ?? 200, { ...HEADERS, 'content-type': answer.type }).end(answer.text);
      return;
    default:
      answer satisfies never;
  }
}

function layout(
  { title, body, script }: Extract<Answer, { kind: 'page' }>,
  session: Session | undefined,
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · cdr-ingest</title>
<link rel="stylesheet" href="/assets/desk.css">
${script && html`<script src="/assets/desk.js" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<strong>cdr-ingest</strong>
${
  session &&
  html`<nav aria-label="Pages"><a href="/">Overview</a> <a href="/letters">Dead letters</a> <a href="/replays">Replays</a></nav>
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

/** What tells a form of ours from one of another site. */
export function csrfField({ csrf }: Pick<Session, 'csrf'>): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}">`;
}

export function problem(status: number, title: string, text: string): Answer {
  return { kind: 'page', status, title, body: html`<p role="alert" class="problem">${text}</p>` };
}
