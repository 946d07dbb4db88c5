import { openDatabase } from '../../src/store/database.ts';
import { persist } from '../../src/store/persist/persist.ts';
import type { Sql } from '../../src/store/sql.ts';
import { type Admitted, admit } from '../../src/worker/admission.ts';
import { BILLING } from './billing.ts';
import { NO_PROPERTIES } from './requests.ts';
import { migratedServices } from './stack.ts';

export type Parameters = Record<string, unknown>;

/** The required parameters of a call; each test adds those that it is about. */
export const minimal: Parameters = {
  auth_username: 'switch',
  auth_password: 'right',
  uniqueid: 'u-1',
  machine: 'm-1',
  start: 1_700_000_000,
  scustomer: 1,
};

/** A message as the worker admits it, with a verifier that knows one switch and one viewer. */
export function admitted(parameters: Parameters): Admitted {
  return delivered(parameters, {});
}

/** The same, with what the broker says of its delivery. */
export function delivered(parameters: Parameters, delivery: { redelivered?: boolean }): Admitted {
  const body = Buffer.from(JSON.stringify({ ...minimal, ...parameters }));
  const result = admit(
    { body, bytes: body.length, properties: NO_PROPERTIES, ...delivery },
    {
      maxBodyBytes: 65_536,
      keptBodyBytes: 4096,
      ignored: new Set(),
      systemCurrency: 'USD',
      verify: (username, password) =>
        password === 'right'
          ? { kind: 'ok', username, role: username === 'auditor' ? 'viewer' : 'system' }
          : { kind: 'unauthenticated' },
    },
  );
  if (result instanceof Promise) throw new Error('this verifier answers at once');
  return result;
}

/** A migrated database for one test file, with a small billing system in it. */
export async function billingDatabase(name: string) {
  const services = await migratedServices(name);
  const database = openDatabase({
    url: services.databaseUrl,
    poolSize: 8,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 10_000,
    applicationName: name,
  });
  const { prisma, sql, transaction } = database;
  const execute = (text: string) => prisma.$executeRawUnsafe(text);
  await execute(
    `insert into currencies (code, rate) values ('USD', 1), ('EUR', 0.92), ('GBP', 0.79), ('JPY', 151.4)`,
  );
  await execute(`insert into customers (id, name, currency, balance) values
    (1, 'one', 'USD', 100), (2, 'two', 'EUR', 100), (3, 'three', 'JPY', 0)`);
  await execute(`insert into taxes (id, name, rate, flat, currency) values
    (1, 'VAT', 20, 0, null), (2, 'levy', 0, 0.05, null), (3, 'fee', 0, 0.4, 'GBP')`);
  await execute(`insert into peers (id, name) values (1, 'carrier')`);
  await execute(`insert into invoices (id, customer, currency, period_start, period_end, status) values
    (10, 1, 'EUR', to_timestamp(1699999000), to_timestamp(1700001000), 'open'),
    (11, 1, 'USD', to_timestamp(1699999000), to_timestamp(1700001000), 'closed'),
    (20, 2, 'EUR', to_timestamp(1600000000), to_timestamp(1600001000), 'open')`);
  return {
    ...services,
    prisma,
    sql,
    transaction,
    execute,
    /** Persists calls in one batch; the outcomes in their order. */
    persist: (calls: readonly Parameters[], through: Sql = sql) =>
      persist(through, calls.map(admitted), BILLING),
    /** Rows as text, for amounts that must be right to the last digit. */
    rows: (text: string) => prisma.$queryRawUnsafe<Record<string, string | null>[]>(text),
    drop: async () => {
      await database.close(5000);
      await services.drop();
    },
  };
}

export type BillingDatabase = Awaited<ReturnType<typeof billingDatabase>>;

/** Runs `change` after the batch was read and before it is written. */
export function between(sql: Sql, change: () => Promise<unknown>): Sql {
  let statements = 0;
  return async (statement, values) => {
    statements += 1;
    if (statements === 2) await change();
    return sql(statement, values);
  };
}
