import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';
import { connectStack, type Isolated, isolate, type Stack, type StackDescription } from '../../dev/stack.ts';

let connected: Promise<Stack> | undefined;

/** The stack that all tests of this run share. Tests that stop a server start their own one instead. */
export function testStack(): Promise<Stack> {
  connected ??= ask('/stack').then((answer) => connectStack(JSON.parse(answer) as StackDescription));
  return connected;
}

/** An empty database and a vhost of the test's own within the shared stack; `drop` them afterwards. */
export async function testServices(name: string): Promise<Isolated> {
  return await isolate(await testStack(), name);
}

/** The same with a migrated database: a copy, which takes a tenth of the time of the migrations. */
export async function migratedServices(name: string): Promise<Isolated> {
  return await isolate(await testStack(), name, await ask('/template'));
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: inject('stackSocket'), path }, async (response) => {
      const answer = await text(response);
      if (response.statusCode === 200) resolve(answer);
      else reject(new Error(answer));
    });
    asking.on('error', reject);
    asking.end();
  });
}
