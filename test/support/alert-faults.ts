import type { Recording } from '../k8s/alerting/recording.ts';
import { outages } from './alert-outages.ts';
import { call, record } from './alert-stage.ts';
import { block } from './blocker.ts';
import { until } from './broker.ts';

/** How each fault is made and recorded, by the name of its recording. */
export const faults: Record<string, (metrics: ReadonlySet<string>) => Promise<Recording>> = {
  ...outages,
  'database-slow': (metrics) =>
    record('database-slow', {}, metrics, {
      fault: async ({ database }) => database.delay(1500),
      after: async ({ database }) => database.delay(0),
    }),
  'row-locked': async (metrics) => {
    let blocker: Awaited<ReturnType<typeof block>> | undefined;
    return await record('row-locked', { load: 1 }, metrics, {
      fault: async ({ site }) => {
        blocker = await block(site, 'select 1 from customers where id = 1 for update');
      },
      // What waits for ten minutes is parked: here after fifteen seconds.
      parked: ({ restart }) => restart({ ROW_WAIT_MS: '15000' }),
      after: async () => blocker?.end(),
    });
  },
  garbage: (metrics) => {
    let stop = async () => {};
    return record('garbage', {}, metrics, {
      fault: async ({ publish }) => {
        stop = await publish(100, (count) => `{"uniqueid": garbage ${count}`);
      },
      after: async ({ discard }) => {
        await stop();
        await discard('rejected');
      },
    });
  },
  'reference-missing': (metrics) => {
    let stop = async () => {};
    return record('reference-missing', { load: 4 }, metrics, {
      fault: async ({ publish }) => {
        stop = await publish(1, (count) => ({ ...call, uniqueid: `refused.${count}`, taxes: '99' }));
      },
      after: () => stop(),
    });
  },
  'password-old': (metrics) => {
    let stop = async () => {};
    return record('password-old', {}, metrics, {
      fault: async ({ publish }) => {
        stop = await publish(0.1, (count) => ({ ...call, uniqueid: `old.${count}`, auth_password: 'old' }));
      },
      after: () => stop(),
    });
  },
  conflict: (metrics) =>
    record('conflict', {}, metrics, {
      fault: async ({ site, send }) => {
        await send({ ...call, uniqueid: 'same', cost: 1 });
        await send({ ...call, uniqueid: 'same', cost: 2 });
        await until(async () => (await opened(site.rows, 'conflict')) > 0);
      },
      after: ({ discard }) => discard('conflict'),
    }),
  parked: (metrics) =>
    record('parked', {}, metrics, {
      fault: async ({ site, send, restart }) => {
        await site.rows(REFUSE);
        await site.rows('create trigger refuse before insert on cdrs for each row execute function refuse()');
        await send({ ...call, uniqueid: 'refused by a trigger' });
        await until(async () => (await opened(site.rows, 'failed')) > 0);
        await restart();
      },
      after: ({ discard }) => discard('failed'),
    }),
  silent: (metrics) => {
    let stop = async () => {};
    const speak = { ...call, auth_username: 'talker' };
    const talker = `insert into users (username, role, password_hash, every_seconds)
      select 'talker', role, password_hash, 900 from users where username = 'switch'`;
    return record('silent', {}, metrics, {
      before: async ({ site, publish }) => {
        await site.rows(talker);
        stop = await publish(1, (count) => ({ ...speak, uniqueid: `before.${count}` }));
        await until(
          async () => (await site.rows(`select 1 as one from heard where name = 'talker'`)).length > 0,
        );
      },
      fault: () => stop(),
      after: async ({ publish }) => {
        stop = await publish(1, (count) => ({ ...speak, uniqueid: `after.${count}` }));
      },
      end: () => stop(),
    });
  },
  backlog: (metrics) => {
    let stop = async () => {};
    const environment = { BATCH_SIZE: '10', PREFETCH: '50' };
    return record('backlog', { environment }, metrics, {
      fault: async ({ publish, database }) => {
        database.delay(50);
        stop = await publish(400, (count) => ({ ...call, uniqueid: `many.${count}` }));
      },
      after: async ({ database }) => {
        database.delay(0);
        await stop();
      },
    });
  },
  // What no invoice took is counted every minute, and by a worker that starts at once.
  uninvoiced: (metrics) =>
    record('uninvoiced', { load: 1 }, metrics, {
      fault: async ({ site, send, restart }) => {
        await send({ ...call, uniqueid: 'late', update_invoices: 1 });
        await until(
          async () => (await site.rows(`select 1 as one from cdrs where uniqueid = 'late'`)).length > 0,
        );
        await site.rows(
          `update cdrs set received_at = received_at - interval '7 days' where uniqueid = 'late'`,
        );
        await restart();
      },
      after: async ({ site, restart }) => {
        await site.rows(`insert into invoices (id, customer, currency, period_start, period_end)
          select id, id, 'USD', to_timestamp(0), now() from customers`);
        await site.attach();
        await restart();
      },
    }),
  restart: (metrics) =>
    record('restart', {}, metrics, { fault: ({ restart }) => restart(), after: async () => {} }),
  'quiet-night': (metrics) =>
    record('quiet-night', { load: 0 }, metrics, {
      before: ({ site }) => site.rows('update users set every_seconds = null'),
      fault: async ({ send, site }) => {
        await send({ ...call, uniqueid: 'one', taxes: '99' });
        await until(async () => (await opened(site.rows, 'rejected')) > 0);
      },
      after: async () => {},
    }),
};

const REFUSE = `create function refuse() returns trigger language plpgsql as $$ begin
  if new.uniqueid = 'refused by a trigger' then raise exception 'not this one'; end if; return new; end $$`;

type Rows = (text: string) => Promise<Record<string, string | null>[]>;

/** How many dead letters of a reason are open. */
async function opened(rows: Rows, reason: string): Promise<number> {
  return (await rows(`select 1 as one from dead_letters where reason = '${reason}' and status = 'dead'`))
    .length;
}
