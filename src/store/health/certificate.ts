import type { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { PrismaPg } from '@prisma/adapter-pg';
import type { DatabaseAddress } from '../connection.ts';
import { connectionConfig } from '../connection.ts';

const TIMEOUT_MS = 10_000;

/** The certificate of the database; undefined without TLS. Throws what the database throws. */
export async function databaseCertificate(address: DatabaseAddress): Promise<X509Certificate | undefined> {
  let certificate: X509Certificate | undefined;
  const config = connectionConfig({
    ...address,
    applicationName: 'cdr-ingest doctor',
    poolSize: 1,
    connectTimeoutMs: TIMEOUT_MS,
    statementTimeoutMs: TIMEOUT_MS,
    lockTimeoutMs: TIMEOUT_MS,
  });
  // The driver shows its socket to nobody.
  const onConnect = (client: object) => {
    const socket: unknown = Reflect.get(Reflect.get(client, 'connection') ?? {}, 'stream');
    if (socket instanceof TLSSocket) certificate = socket.getPeerX509Certificate();
  };
  const adapter = await new PrismaPg({ ...config, onConnect }).connect();
  try {
    await adapter.queryRaw({ sql: 'select 1', args: [], argTypes: [] });
    return certificate;
  } finally {
    await adapter.dispose();
  }
}
