import type { BillingRules } from '../../src/domain/charge.ts';
import { nothingHeld } from '../../src/domain/held.ts';
import { asDecided, type Submission } from '../../src/domain/submission.ts';
import { createOrder } from '../../src/store/calls/orders.ts';
import type { Database } from '../../src/store/database.ts';
import { discardDeadLetters } from '../../src/store/dead-letters/close.ts';
import { correctDeadLetters } from '../../src/store/dead-letters/edit.ts';
import { readDeadLetter, readEvents, readStored } from '../../src/store/dead-letters/history.ts';
import { groupDeadLetters, readPage } from '../../src/store/dead-letters/list.ts';
import {
  markReplaying,
  readFinished,
  readReplayable,
  selectLetters,
} from '../../src/store/dead-letters/mark.ts';
import { readOpenDeadLetters } from '../../src/store/dead-letters/open.ts';
import { oldDeadLetters } from '../../src/store/dead-letters/prune.ts';
import { closeTried, markTried, verifyDeadLetter } from '../../src/store/dead-letters/tried.ts';
import {
  beginTrying,
  goOnWaiting,
  resolveWaiting,
  waitingDeadLetters,
} from '../../src/store/dead-letters/waiting.ts';
import { removeOld } from '../../src/store/old-rows.ts';
import { readOverview } from '../../src/store/overview.ts';
import { attemptsOn } from '../../src/store/persist/attempts.ts';
import { prunePages } from '../../src/store/prune.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { createReplay } from '../../src/store/replays/create.ts';
import { closeSession, openSession, readCandidate, sessionUser } from '../../src/store/sessions.ts';
import { countAttempt, countSuccess } from '../../src/store/sign-in.ts';
import type { Sql } from '../../src/store/sql.ts';
import { Throughput } from '../../src/store/throughput.ts';
import { disableUser, readUsers, upsertUser } from '../../src/store/users.ts';
import { submission } from './submission.ts';

/** Always the same, so that recordings differ only where statements do. */
const RUNNER = '00000000-0000-4000-8000-000000000001';

const RULES: BillingRules = { systemCurrency: 'USD', openStatuses: ['open'], lateCalls: 'hold' };

/** What the billing system loads. The key of the digests is a known one, so that they are the same in every database. */
const BILLING = [
  `update letter_keys set key = '\\x00'`,
  `insert into currencies (code, rate) values ('USD', 1), ('EUR', 0.92), ('JPY', 151.4)`,
  `insert into customers (id, name, currency, balance) values (1, 'one', 'USD', 100), (2, 'two', 'EUR', 0)`,
  `insert into taxes (id, name, rate, flat) values (1, 'VAT', 20, 0), (2, 'levy', 0, 0.05)`,
  `insert into peers (id, name) values (1, 'carrier')`,
  `insert into invoices (id, customer, currency, period_start, period_end, status) values
    (10, 1, 'EUR', to_timestamp(1600000000), to_timestamp(1700000000), 'open'),
    (11, 1, 'USD', to_timestamp(1700000000), to_timestamp(1800000000), 'open'),
    (20, 2, 'JPY', to_timestamp(1600000000), to_timestamp(1800000000), 'open')`,
  `insert into customer_keys (kind, key, customer) values ('account', 'A-1', 1)`,
  `insert into source_rules (source, exchange, uniqueid) values ('feed', 'feed', '[]')`,
  `insert into heard (kind, name, named_at) values ('feed', 'feed', now())`,
  `insert into sequence_runs (source, epoch, first, last, since) values ('feed', 0, 1, 2, now())`,
];

/** All that the version does with an empty database until every table has rows. */
export async function fillTables(database: Database): Promise<void> {
  const { prisma, sql } = database;
  for (const statement of BILLING) await prisma.$executeRawUnsafe(statement);
  await useTables(database, 1);
  await prisma.$executeRawUnsafe(`update invoices set status = 'closed' where id = 10`);
  await prunePages(sql, 'infinity', { from: 0, to: 1000 }, false, {
    openStatuses: RULES.openStatuses,
    withUninvoiced: false,
  });
}

/** All that the version does: what its workers, its console and its commands say to the database, always in one order. */
export async function useTables(database: Database, turn: number): Promise<void> {
  const { sql } = database;
  await useUsers(sql, turn);
  await persistCalls(database, turn);
  await persistCorrections(database, turn);
  await tryAgain(database, turn);
  await replayAndDiscard(database, turn);
  await look(sql, turn);
  await reconcile(database);
}

async function useUsers(sql: Sql, turn: number): Promise<void> {
  const passwordHash = `hash ${turn}`;
  await upsertUser(sql, {
    username: 'switch',
    passwordHash,
    role: 'system',
    machines: ['m'],
    customers: [1, 2],
  });
  await upsertUser(sql, { username: 'shop', passwordHash, role: 'commerce' });
  await upsertUser(sql, { username: 'boss', passwordHash, role: 'operator' });
  await upsertUser(sql, { username: 'gone', passwordHash, role: 'viewer' });
  await disableUser(sql, 'gone');
  await readUsers(sql, ['switch', 'boss', 'nobody']);
  const claim = { username: 'boss', address: '192.0.2.1' };
  await countAttempt(sql, claim);
  await countSuccess(sql, claim);
  const candidate = await readCandidate(sql, 'boss');
  if (candidate === undefined) throw new Error('the operator may not sign in');
  for (const idHash of [`a${turn}`, `b${turn}`]) await openSession(sql, idHash, candidate);
  await sessionUser(sql, `a${turn}`);
  await closeSession(sql, `b${turn}`);
}

function persist(database: Database, submissions: readonly Submission[]) {
  return attemptsOn(database, RULES, 20_000).plain(submissions, nothingHeld);
}

/** Stored, already stored, in conflict, validation only, refused in every way. */
async function persistCalls(database: Database, turn: number): Promise<void> {
  const full = {
    uniqueid: `full-${turn}`,
    cost: '1.5',
    currency: 'JPY',
    taxes: 'VAT,levy',
    peer: 1,
    end: 1_650_000_060,
  };
  await persist(database, [submission({ uniqueid: `least-${turn}` })]);
  await persist(
    database,
    [
      full,
      { ...full, uniqueid: `invoiced-${turn}`, scustomer: 2, invoice: 20, snumber: '1', note: 'a note' },
      { ...full, uniqueid: `still-${turn}`, update_balance: 0, update_invoices: 0 },
      { ...full, uniqueid: `credit-${turn}`, cost: '-1.5' },
      { uniqueid: `least-${turn}` },
      { uniqueid: `least-${turn}`, cost: '2' },
      { uniqueid: `asked-${turn}`, validation: 1 },
      { uniqueid: `refused-${turn}`, scustomer: 99 },
      { uniqueid: `replayed-${turn}`, scustomer: 98 },
      { uniqueid: `worse-${turn}`, peer: 97 },
      { uniqueid: `forged-${turn}`, auth_password: 'wrong' },
    ].map((call) => submission(call)),
  );
}

/** A shop changes what a call costs, and an operator has another one voided. */
async function persistCorrections(database: Database, turn: number): Promise<void> {
  const shop = { auth_username: 'shop' };
  const changed = { ...shop, uniqueid: `full-${turn}`, cost: '2.5' };
  await persist(database, [submission(changed, { routingKey: 'cdrs.update', messageId: `changed-${turn}` })]);
  const [id, uniqueid, tokenHash] = [`voided-${turn}`, `credit-${turn}`, `${turn}`.padStart(64, '0')];
  const order = { id, uniqueid, operation: 'void' as const, follows: '', operator: 'boss', why: 'a reason' };
  await createOrder(database.sql, { ...order, program: 'command', deadLetter: null }, tokenHash);
  const ordered = submission({ ...shop, uniqueid }, { routingKey: 'cdrs.void', messageId: id });
  await persist(database, [{ ...ordered, order: { id, operation: 'void', tokenHash } }]);
}

/** Dead letters of a parked reason, each tried once more: with success, in vain, and after a wait for a row. */
async function tryAgain(database: Database, turn: number): Promise<void> {
  const { sql } = database;
  const parked = async (name: string, reason: 'failed' | 'poison', waitsFor?: string) => {
    const message = submission({ uniqueid: `${name}-${turn}` });
    const outcome = { kind: 'failed' as const, reason, error: 'an error', ...(waitsFor && { waitsFor }) };
    await persist(database, [asDecided(outcome, message)]);
    return { reason, digest: message.deadLetter().digest };
  };
  const stored = await parked('poison-stored', 'poison');
  await markTried(sql, stored);
  await verifyDeadLetter(sql, stored);
  await closeTried(sql, stored, { kind: 'duplicate' }, { uniqueid: `least-${turn}`, entry: null });
  const refused = await parked('poison-refused', 'poison');
  await markTried(sql, refused);
  await closeTried(sql, refused, { kind: 'rejected', errors: [] }, { uniqueid: null, entry: null });
  await parked('waiting', 'failed', 'customer 1');
  for (const { id } of await waitingDeadLetters(sql, [])) {
    await beginTrying(sql, id);
    await goOnWaiting(sql, id);
    await beginTrying(sql, id);
    await resolveWaiting(sql, id, { uniqueid: `least-${turn}`, entry: null });
  }
}

/** An operator's work: one correction that helps, one that does not, one dead letter discarded, old ones pruned. */
async function replayAndDiscard(database: Database, turn: number): Promise<void> {
  const { sql } = database;
  for (const [name, call] of [
    ['replayed', { scustomer: 1 }],
    ['worse', { peer: 96 }],
  ] as const) {
    const uniqueid = `${name}-${turn}`;
    const letters = await selectLetters(sql, { uniqueid, statuses: ['dead'] }, 10);
    const order = {
      program: 'command' as const,
      operator: 'boss',
      why: 'a reason',
      filter: {},
      correction: {},
    };
    const limits = { rate: null, abortOver: null };
    const id = await createReplay(sql, { ...order, ...limits }, letters, 'running', RUNNER);
    const ids = letters.map((letter) => letter.id);
    for (const row of await readReplayable(sql, ids)) {
      const edits = Object.fromEntries(Object.entries(call).map(([key, value]) => [key, String(value)]));
      await correctDeadLetters(
        sql,
        [
          {
            id: row.id,
            edits,
            before: row.edits,
            bodyBefore: row.mendedBody,
            changes: {},
          },
        ],
        {
          by: 'boss',
          why: null,
          program: 'console',
        },
      );
      const mark = { ...row, edits, tokenHash: row.id.padStart(64, '0') };
      await markReplaying(sql, { id, runner: RUNNER }, [mark]);
      const attempt = row.replays + 1;
      const replay = { deadLetter: row.id, attempt, tokenHash: mark.tokenHash };
      await persist(database, [{ ...submission({ ...call, uniqueid }), replay }]);
      await readFinished(sql, [{ id: row.id, attempt }]);
    }
  }
  await discardDeadLetters(
    sql,
    { uniqueid: `forged-${turn}` },
    { by: 'boss', why: 'garbage', program: 'console' },
  );
  await removeOld(sql, oldDeadLetters, new Date(0));
}

async function look(sql: Sql, turn: number): Promise<void> {
  const filter = { machine: 'm' };
  const { deadLetters } = await readPage(sql, filter, 2);
  for (const { id } of deadLetters) {
    await readDeadLetter(sql, `${id}`);
    await readEvents(sql, `${id}`);
  }
  await groupDeadLetters(sql, filter, 'reason', 'USD');
  await groupDeadLetters(sql, filter, 'key', 'USD');
  await readOpenDeadLetters(sql);
  await readStored(sql, `least-${turn}`);
  await readOverview(sql, 'USD');
  await new Throughput(sql).hours();
}
