import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConsumeMessage } from 'amqplib';
import { readSourcesFile } from '../../src/sources-file.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from './broker.ts';
import type { CommandResult } from './in-process.ts';
import { PASSWORD, runCommand } from './operators.ts';
import { cheapHash } from './password.ts';
import { type BillingDatabase, billingDatabase } from './persisting.ts';
import { startProcess, type WorkerProcess } from './worker.ts';

/** A running worker with feeds, their users, an operator, and somebody who hears the replies. */
export interface FeedSite {
  db: BillingDatabase;
  switches: Outsider;
  sourcesFile: string;
  /** What commands of an operator need. */
  environment: Record<string, string>;
  /** Publishes a record as a switch does: no reply_to, no confirm that it waits for. */
  publish: (exchange: string, body: string) => void;
  /** Publishes one record `count` times. Resolves with the codes of the replies to its uniqueid. */
  codesFor: (record: PublishedRecord, count?: number) => Promise<string[]>;
  /** `cdr-ingest …` as the operator. */
  run: (args: readonly string[]) => Promise<CommandResult>;
  /** Waits until the worker has finished with all that was published. */
  isDrained: () => Promise<void>;
  startWorker: () => Promise<void>;
  close: () => Promise<void>;
}

export interface PublishedRecord {
  exchange: string;
  body: string;
  uniqueid: string;
}

/**
 * Opens a site with the feeds of a sources file.
 *
 * @param starts whether the worker starts at once; if not, `startWorker` does it
 */
export async function openFeedSite(name: string, sources: string, starts = true): Promise<FeedSite> {
  const db = await billingDatabase(name);
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  const sourcesFile = join(directory, 'sources.yaml');
  writeFileSync(sourcesFile, sources);
  const passwordHash = await cheapHash(PASSWORD);
  const users = new Set(readSourcesFile(sourcesFile).map(({ spec }) => spec.as));
  for (const username of users) await upsertUser(db.sql, { username, role: 'system', passwordHash });
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  const services = { DATABASE_URL: db.databaseUrl, AMQP_URL: db.amqpUrl, SOURCES_FILE: sourcesFile };
  const environment = { ...services, CDR_USERNAME: 'boss', CDR_PASSWORD: PASSWORD };
  const switches = await outsider(db.amqpUrl);
  const replies: { uniqueid: string; code: string }[] = [];
  let worker: WorkerProcess | undefined;

  function hear(message: ConsumeMessage | null): void {
    if (message === null) return;
    const { responses } = JSON.parse(message.content.toString()) as { responses: { code: string }[] };
    const uniqueid = String(message.properties.headers?.uniqueid ?? '');
    replies.push({ uniqueid, code: responses[0]?.code ?? '' });
  }

  function publish(exchange: string, body: string): void {
    switches.channel.publish(exchange, 'any.key', Buffer.from(body), { contentType: 'text/json' });
  }

  async function startWorker(): Promise<void> {
    worker = await startProcess(['worker'], { ...services, HTTP_PORT: '0' });
    await worker.logged('"queue":"cdrs.create","state":"consuming"');
    await switches.channel.consume('cdrs.results', hear, { noAck: true });
  }
  if (starts) await startWorker();

  return {
    db,
    switches,
    sourcesFile,
    environment,
    publish,
    codesFor: async ({ exchange, body, uniqueid }, count = 1) => {
      const codes = () => replies.filter((one) => one.uniqueid === uniqueid).map(({ code }) => code);
      const before = codes().length;
      for (let i = 0; i < count; i += 1) publish(exchange, body);
      await until(() => codes().length >= before + count);
      return codes().slice(before);
    },
    run: (args) => runCommand(args, environment),
    isDrained: () => until(async () => (await switches.depth('cdrs.create')) === 0),
    startWorker,
    close: async () => {
      await switches.close();
      await worker?.stop();
      await db.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
