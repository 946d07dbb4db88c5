import { upsertUser } from '../../src/store/users.ts';
import { ask } from './asking.ts';
import { PASSWORD } from './operators.ts';
import { cheapHash } from './password.ts';
import type { BillingDatabase } from './persisting.ts';
import { startProcess, type WorkerProcess } from './worker.ts';

/** Names and values of a form; a name may be there several times. */
type Fields = Record<string, string> | [string, string][];

/** Somebody who is signed in, without a browser. */
export interface Visitor {
  cookie: string;
  get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  /** A page as its reader sees it: without markup, blanks as one. */
  read: (path: string) => Promise<string>;
  /** Sends a form of this session. */
  post: (path: string, fields: Fields) => Promise<Response>;
}

export interface ConsoleSite {
  origin: string;
  process: WorkerProcess;
  signIn: (username: 'boss' | 'auditor') => Promise<Visitor>;
  close: () => Promise<void>;
}

/** A console with an operator (`boss`) and a viewer (`auditor`). */
export async function openConsole(db: BillingDatabase): Promise<ConsoleSite> {
  const passwordHash = await cheapHash(PASSWORD);
  for (const [username, role] of [
    ['boss', 'operator'],
    ['auditor', 'viewer'],
  ] as const)
    await upsertUser(db.sql, { username, role, passwordHash });
  const process = await startProcess(['console'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  const origin = `http://127.0.0.1:${await process.port()}`;
  return {
    origin,
    process,
    signIn: (username) => signIn(origin, username),
    close: async () => void (await process.stop()),
  };
}

async function signIn(origin: string, username: string): Promise<Visitor> {
  const send = (path: string, fields: Fields, headers: Record<string, string>) =>
    ask(`${origin}${path}`, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers,
      redirect: 'manual',
    });
  const entered = await send('/sign-in', { username, password: PASSWORD }, {});
  const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const get: Visitor['get'] = (path, headers = {}) =>
    ask(`${origin}${path}`, { headers: { cookie, ...headers }, redirect: 'manual' });
  const csrf = hiddenIn(await (await get('/')).text(), 'csrf');
  return {
    cookie,
    get,
    read: async (path) => readable(await (await get(path)).text()),
    post: (path, fields) => {
      const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
      return send(path, [['csrf', csrf], ...pairs], { cookie, origin });
    },
  };
}

/** What a page says. */
export function readable(markup: string): string {
  const main = /<main[^>]*>(.*)<\/main>/s.exec(markup)?.[1] ?? markup;
  return main
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replace(/\s+/g, ' ')
    .replace(/ (?=[,.;])/g, '')
    .trim();
}

/** The value of a hidden field. */
export function hiddenIn(markup: string, name: string): string {
  const value = new RegExp(`<input type="hidden" name="${name}" value="([^"]*)"`).exec(markup)?.[1] ?? '';
  return value.replaceAll('&amp;', '&');
}

/** All hidden fields of the form that is sent to a path, but for its token. */
export function fieldsOf(markup: string, action: string): [string, string][] {
  const form = new RegExp(`<form[^>]*action="${action}"[^>]*>(.*?)</form>`, 's').exec(markup)?.[1] ?? '';
  return [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)]
    .map(([, name = '', value = '']): [string, string] => [name, value.replaceAll('&amp;', '&')])
    .filter(([name]) => name !== 'csrf');
}
