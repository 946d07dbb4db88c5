import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-resolved');
});

afterAll(async () => {
  await site?.close();
});

const statusOf = async (uniqueid: string) =>
  (await site.db.rows(`select status from dead_letters where uniqueid = '${uniqueid}'`)).map(
    (row) => row.status,
  );

it('a replay whose call vanishes as it is stored is not resolved before it stays', async () => {
  await site.submit({ uniqueid: 'vanishing', scustomer: 55 });
  await site.db.execute(`insert into customers (id, name, currency) values (55, 'late', 'USD')`);
  // The statement that stores the call returns it, and it is not there. A sequence counts what is rolled back, too.
  await site.db.execute('create sequence vanished');
  await site.db.execute(`create function vanish() returns trigger language plpgsql as $$ begin
    perform nextval('vanished'); delete from cdrs where uniqueid = new.uniqueid; return null; end $$`);
  await site.db.execute('create trigger vanish after insert on cdrs for each row execute function vanish()');
  const replay = await site.startDead(['replay', '--uniqueid', 'vanishing']);
  await until(
    async () => Number((await site.db.rows('select last_value::text from vanished'))[0]?.last_value) > 1,
  );
  expect(await statusOf('vanishing')).toEqual(['replaying']);
  expect(await site.db.rows('select calls::text from customers where id = 55')).toEqual([{ calls: '0' }]);
  await site.db.execute('drop trigger vanish on cdrs');
  expect(await replay.ended).toBe(0);
  expect(await statusOf('vanishing')).toEqual(['resolved']);
  expect(await site.db.rows('select calls::text from customers where id = 55')).toEqual([{ calls: '1' }]);
});

it('a discarded dead letter opens when its switch sends the call again', async () => {
  const call = { uniqueid: 'again', scustomer: 56 };
  await site.submit(call);
  const discarded = await site.dead(['discard', '--uniqueid', 'again', '--why', 'a test', '--yes']);
  expect(discarded.code).toBe(0);
  expect(await statusOf('again')).toEqual(['discarded']);
  await site.submit(call);
  await until(async () => (await statusOf('again'))[0] === 'dead');
});
