import { randomInt } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { getHeapSnapshot } from 'node:v8';
import { expect, it } from 'vitest';
import { unprepared } from '../../src/store/sql.ts';
import { billingDatabase } from '../support/persisting.ts';

/** In a note of each call, followed by twelve digits. */
const CANARY = /kept-as-a-canary-\d{12}/;

async function isInMemory(): Promise<boolean> {
  return CANARY.test(await text(getHeapSnapshot()));
}

it('of a call that is persisted, and of a statement through Prisma, nothing stays in memory', async () => {
  const db = await billingDatabase('forget');
  const note = () => ['kept', 'as', 'a', 'canary', randomInt(1e11, 1e12)].join('-');
  const held = [note()];
  expect(await isInMemory()).toBe(true);
  held.length = 0;
  await db.persist([{ note: note() }]);
  await db.sql(unprepared('test.say', 'select $1::text as said'), [note()]);
  // A connection keeps its last statement until the next.
  await db.sql(unprepared('test.one', 'select 1 as one'), []);
  expect(await isInMemory()).toBe(false);
  await db.drop();
});
