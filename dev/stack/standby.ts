import { join } from 'node:path';
import { Client } from 'pg';
import { postgresBinaries } from './binaries.ts';
import { serverUser } from './places.ts';
import { freePort } from './ports.ts';
import type { PostgresServer } from './postgres.ts';
import { createServer, runTool } from './server.ts';

export interface StandbyServer extends PostgresServer {
  /** Makes it the primary; returns when it takes writes. */
  promote: () => Promise<void>;
}

/** Runs statements on a server, each by itself. */
async function on(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * Starts a synchronous standby of a server that was started here: from then on every commit of the primary waits until
 * it is on the standby's disk.
 */
export async function startStandby(primary: PostgresServer): Promise<StandbyServer> {
  const { bin, env } = await postgresBinaries(() => {});
  const user = serverUser();
  const port = await freePort();
  const url = new URL(primary.url);
  url.port = String(port);

  const server = await createServer('postgres', user, async (dir) => {
    const data = join(dir, 'data');
    // --write-recovery-conf stores the connection to the primary, with its password, in the standby's directory.
    const backup = [
      '--pgdata',
      data,
      '--checkpoint=fast',
      '--wal-method=stream',
      '--write-recovery-conf',
      '--no-sync',
    ];
    await runTool(join(bin, 'pg_basebackup'), [...backup, '--dbname', primary.url], { dir, env, user });
    return {
      command: join(bin, 'postgres'),
      args: [
        ...['-D', data, '-c', `port=${port}`, '-c', `unix_socket_directories=${dir}`],
        ...['-c', `cluster_name=standby_${port}`, '-c', 'hot_standby=on'],
      ],
      env,
      cleanSignal: 'SIGINT' as const,
      discardSignal: 'SIGQUIT' as const,
      urls: [url.href],
    };
  });
  await on(
    primary.url,
    `alter system set synchronous_standby_names = 'ANY 1 (*)'`,
    'select pg_reload_conf()',
  );
  await untilSynchronous(primary.url);
  return Object.assign(server, {
    url: url.href,
    // It has inherited the setting that demands a standby, and has none yet.
    promote: () =>
      on(
        url.href,
        'select pg_promote(true, 60)',
        'alter system reset synchronous_standby_names',
        'select pg_reload_conf()',
      ),
  });
}

async function untilSynchronous(primaryUrl: string): Promise<void> {
  const client = new Client({ connectionString: primaryUrl });
  await client.connect();
  try {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { rows } = await client.query(
        `select from pg_stat_replication where sync_state in ('sync', 'quorum')`,
      );
      if (rows.length > 0) return;
      if (Date.now() > deadline) throw new Error('the standby did not become synchronous within 60 s');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await client.end();
  }
}
