import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { belongsTo, ended, send, sendToFamily } from './process.ts';
import { deleteRecord, type LocalRecord, readRecord } from './records.ts';

/** Every data directory's name starts with this; nothing else is ever deleted. */
export const DIRECTORY_PREFIX = 'cdr-ingest-';

const PATIENCE_MS = 5_000;

/** Ends a server for good and deletes its data and its record. Does nothing if that has been done. */
export async function removeServer(recordPath: string): Promise<void> {
  const record = readRecord(recordPath);
  if (!record) return;
  if (record.kind === 'docker') {
    // Loaded only here: testcontainers is large, and most runs do not use Docker.
    const { removeContainers } = await import('./containers.ts');
    await removeContainers(record.label);
  } else {
    await endLocal(record);
    if (basename(record.dir).startsWith(DIRECTORY_PREFIX)) {
      await rm(record.dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }
  deleteRecord(recordPath);
}

async function endLocal(record: LocalRecord): Promise<void> {
  const root = record.process;
  // The number may have gone to another process since: start time and directory prove that it is ours.
  if (!root || !belongsTo(root, record.dir)) return;
  if (record.discardSignal === 'SIGQUIT') {
    sendToFamily(root, 'SIGCONT');
    send(root, 'SIGQUIT');
    if (await ended([root], PATIENCE_MS)) return;
  }
  await ended(sendToFamily(root, 'SIGKILL'), PATIENCE_MS);
}
