import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CdrField, cdrFields, differences } from '../../src/domain/cdr.ts';
import { isDecimal } from '../../src/domain/contract.ts';
import { canonical } from '../../src/domain/money.ts';
import { parameterColumns, readStoredCalls } from '../../src/store/persist/columns.ts';
import { otherValue } from '../domain/contract-table.ts';
import { calledWith } from '../domain/references.ts';
import { type BillingDatabase, billingDatabase, minimal } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('parameters');
});
afterAll(() => db?.drop());

const defaults = calledWith(minimal);

/** Values that have to exist in the billing system, or to fit each other. */
const KNOWN: Partial<Record<CdrField, string | number>> = {
  uniqueid: 'u-2',
  scustomer: 2,
  start: 1_600_000_500,
  end: 1_600_000_560,
  dcustomer: 3,
  currency: 'EUR',
  invoice: 20,
  peer: 1,
  taxes: 'VAT',
  cost: '-0.000001',
};

/** A call in which no parameter has its default. */
const OTHER = Object.fromEntries(
  cdrFields.map((name) => [name, KNOWN[name] ?? otherValue(name, defaults[name])]),
);

/** Parameters whose column has another default than the contract. */
async function otherDefaults(): Promise<unknown[]> {
  const found: { name: string; column: string; contract: string }[] = [];
  const columns = await db.rows(
    `select column_name as name, column_default as sql from information_schema.columns
     where table_schema = 'public' and table_name = 'cdrs' and column_default is not null`,
  );
  for (const name of cdrFields) {
    const sql = columns.find((column) => column.name === name)?.sql;
    if (sql === undefined) continue;
    const [row] = await db.rows(`select (${sql})::text as value`);
    const column = isDecimal(name) ? canonical(String(row?.value)) : String(row?.value);
    if (column !== String(defaults[name])) found.push({ name, column, contract: String(defaults[name]) });
  }
  return found;
}

describe('every parameter of the contract', () => {
  it('has a column of its own, of the type that values of its kind need (prisma/schema.prisma, model Cdr)', async () => {
    const columns = await db.rows(
      `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
       where attrelid = 'cdrs'::regclass and attnum > 0 and not attisdropped order by attname`,
    );
    const found = new Map(columns.map(({ name, type }) => [name, type]));
    expect(parameterColumns.map(({ name }) => ({ name, type: found.get(name) }))).toEqual(parameterColumns);
  });

  it('has its default in the contract where its column has one, because the version before does not store it', async () => {
    expect(await otherDefaults()).toEqual([]);
    await db.rows(`alter table cdrs alter note set default 'other'`);
    expect(await otherDefaults()).toEqual([{ name: 'note', column: 'other', contract: '' }]);
    await db.rows('alter table cdrs alter note drop default');
  });

  it('comes back from its column as it was submitted, whatever its type', async () => {
    for (const call of [{}, OTHER]) {
      const submitted = calledWith({ ...minimal, ...call });
      expect(await db.persist([call])).toMatchObject([{ kind: 'accepted' }]);
      const stored = (await readStoredCalls(db.sql, [submitted.uniqueid])).get(submitted.uniqueid);
      expect(stored).toEqual({ cdr: submitted, source: null });
      expect(stored && differences(stored.cdr, submitted)).toEqual([]);
    }
  });

  it('is named where it differs from the call that is stored, with both values as they were submitted', async () => {
    const stored = calledWith({ ...minimal, ...OTHER });
    for (const name of cdrFields.filter((each) => each !== 'uniqueid')) {
      const received = name === 'start' ? stored.start - 1 : name === 'end' ? stored.end + 1 : defaults[name];
      const [outcome] = await db.persist([{ ...OTHER, [name]: received }]);
      expect(outcome).toEqual({
        kind: 'conflict',
        differences: [{ parameter: name, stored: stored[name], received }],
      });
    }
  });
});
