import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { describeStack, type Stack, startStack } from '../../dev/stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Unix socket on which the stack of this run is to be had; it is started for the first who asks. */
    stackSocket: string;
  }
}

/** Offers one stack to all tests of a run. A run without a test that needs one never starts it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'cdr-ingest-test-'));
  const socket = join(dir, 'stack');
  let stack: Promise<Stack> | undefined;

  const server = createServer((_request, response) => {
    stack ??= startStack({ management: true, progress: (line) => process.stderr.write(`${line}\n`) });
    stack.then(
      (started) => response.end(JSON.stringify(describeStack(started))),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  project.provide('stackSocket', socket);

  return async () => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true, force: true });
    // A stack that could not be started has told the tests already.
    await (await stack?.catch(() => undefined))?.stop();
  };
}
