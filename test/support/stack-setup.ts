import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { describeStack, type Isolated, isolate, type Stack, startStack } from '../../dev/stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * Unix socket that serves `/stack`, the stack of this run as JSON, and `/template`, the name of a migrated database
     * to copy. Each is made for the first test that asks.
     */
    stackSocket: string;
  }
}

/** Offers one stack to all tests of a run. A run in which no test asks for it never starts one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'cdr-ingest-test-'));
  const socket = join(dir, 'stack');
  let stack: Promise<Stack> | undefined;
  let template: Promise<Isolated> | undefined;

  const started = () => {
    stack ??= startStack({ management: true, progress: (line) => process.stderr.write(`${line}\n`) });
    return stack;
  };
  const server = createServer(async ({ url }, response: ServerResponse) => {
    try {
      if (url === '/template') {
        template ??= started().then(makeTemplate);
        response.end(new URL((await template).databaseUrl).pathname.slice(1));
      } else response.end(JSON.stringify(describeStack(await started())));
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  project.provide('stackSocket', socket);

  return async () => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true, force: true });
    // If one of them could not be made, the tests have reported it.
    await (await template?.catch(() => undefined))?.drop();
    await (await stack?.catch(() => undefined))?.stop();
  };
}

async function makeTemplate(stack: Stack): Promise<Isolated> {
  const template = await isolate(stack, 'template');
  // Loaded only here: it is large, and many runs need no database.
  const { migrate } = await import('../../src/store/migrate.ts');
  await migrate(template.databaseUrl);
  return template;
}
