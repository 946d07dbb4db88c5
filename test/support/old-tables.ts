import { ask } from './migrating.ts';

/** Rows put in at once, well within any statement timeout. */
const PORTION = 10_000;
/** Whose calls they are; the switch sends calls of the customers 1 to 3. */
const CUSTOMER = 4;

/** What one call costs. */
const COST = '0.01';

/**
 * Fills a database that the first version has migrated: reference tables, users, calls of two years, and dead letters. No
 * columns but those of that version are named.
 */
export async function fillOldTables(
  url: string,
  passwordHash: string,
  { calls, deadLetters }: { calls: number; deadLetters: number },
): Promise<void> {
  await ask(
    url,
    `insert into currencies (code, rate) values ('USD', 1);
     insert into customers (id, name, currency)
       values (1, 'hot', 'USD'), (2, 'two', 'USD'), (3, 'three', 'USD'), (${CUSTOMER}, 'past', 'USD');
     insert into taxes (id, name, rate, flat) values (1, 'VAT', 20, 0);
     insert into invoices (id, customer, currency, period_start, period_end)
       select 10 + id, id, 'USD', to_timestamp(1700000000), to_timestamp(1700001000) from generate_series(1, 3) id;
     insert into users (username, password_hash, role)
       values ('switch', '${passwordHash}', 'system'), ('boss', '${passwordHash}', 'operator')`,
  );
  await inPortions(calls, (from, to) =>
    ask(
      url,
      `insert into cdrs (uniqueid, machine, start, "end", scustomer, stype, snumber, spresent, sname, ctype, cnumber, dcustomer,
         dtype, dnumber, callid, channel, cost, currency, ingroup_time, invoice_named, media, messages, note, outgroup_time,
         recording, status, talktime, taxes, time, totaltime, update_balance, update_invoices, tax, charged, invoice_cost,
         invoice_tax, system_rate, currency_rate, customer_currency, customer_rate, fingerprint, submitted_by, received_at)
       select 'past-' || n, 'm', at, at, ${CUSTOMER}, 'user', '', 1, '', 'external', '', 0, '', '', 'past-' || n, '', ${COST}, 'USD',
         0, false, 'voice', 0, '', 0, '', 'answered', 60, '', 60, 60, 1, 0, 0, ${COST}, 0, 0, 1, 1, 'USD', 1,
         sha256(('past-' || n)::bytea), 'switch', at
       from generate_series(${from}, ${to}) n cross join lateral (select now() - interval '2 years' * (1 - n / ${calls}.0)) as t (at)`,
    ),
  );
  await ask(
    url,
    `update customers set calls = ${calls}, charged = ${calls} * ${COST}, balance = -${calls} * ${COST} where id = ${CUSTOMER}`,
  );
  await inPortions(deadLetters, (from, to) =>
    ask(
      url,
      `insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, responses, body, digest)
       select 'rejected', 'dead-' || n, ${CUSTOMER}, 'm', 'switch', '[{"code":"400","key":"cots","message":"unknown parameter"}]',
         json_build_object('uniqueid', 'dead-' || n, 'machine', 'm', 'start', 1700000000, 'scustomer', ${CUSTOMER}, 'cots', '0.01')::text,
         sha256(('dead-' || n)::bytea)
       from generate_series(${from}, ${to}) n`,
    ),
  );
}

async function inPortions(
  count: number,
  insert: (from: number, to: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 1; from <= count; from += PORTION) await insert(from, Math.min(from + PORTION - 1, count));
}

/**
 * Closes the invoice of customer 1, opens another one for its calls to come, and makes so many calls on the closed one old enough
 * to be pruned. Returns their uniqueids.
 */
export async function pastCallsOf(url: string, count: number): Promise<string[]> {
  await ask(
    url,
    `begin;
     update invoices set status = 'closed' where id = 11;
     insert into invoices (id, customer, currency, period_start, period_end)
       values (21, 1, 'USD', to_timestamp(1700000000), to_timestamp(1700001000));
     commit`,
  );
  const old = await ask(
    url,
    `update cdrs set received_at = now() - interval '13 months' where uniqueid in (
       select uniqueid from cdrs where invoice = 11 order by received_at limit ${count}) returning uniqueid`,
  );
  return old.map(({ uniqueid }) => String(uniqueid));
}
