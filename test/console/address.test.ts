import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { CTRL_C, onTerminal } from '../support/terminal.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('console-address');
});

afterAll(async () => {
  await db?.drop();
});

describe('console on a terminal', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:'],
    ['0.0.0.0', 'http://127.0.0.1:'],
    ['::1', 'http://[::1]:'],
  ])('says where a browser finds it (CONSOLE_HOST=%s)', async (host, origin) => {
    const pages: number[] = [];
    const environment = {
      DATABASE_URL: db.databaseUrl,
      AMQP_URL: db.amqpUrl,
      CONSOLE_HOST: host,
      CONSOLE_PORT: '0',
    };
    const { output, code } = await onTerminal(['console'], environment, [
      {
        shown: 'stops the console',
        type: async (shown) => {
          const [, address = ''] = /Open (\S+) in a browser/.exec(shown) ?? [];
          expect(address.startsWith(origin)).toBe(true);
          pages.push((await fetch(`${address}/sign-in`)).status);
          return CTRL_C;
        },
      },
    ]);
    expect({ pages, code }, output).toEqual({ pages: [200], code: 0 });
  });
});
