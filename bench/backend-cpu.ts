import { readFileSync } from 'node:fs';
import type { Client } from 'pg';

/** CPU of the backend of a connection so far, in microseconds. Other load on the machine hardly counts in it. */
export async function backendCpu(client: Client): Promise<() => number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const file = `/proc/${rows[0]?.pid}/schedstat`;
  return () => Number(readFileSync(file, 'latin1').split(' ')[0]) / 1000;
}
