import { request } from 'node:http';
import { inject } from 'vitest';
import { connectStack, type Isolated, isolate, type Stack, type StackDescription } from '../../dev/stack.ts';

let connected: Promise<Stack> | undefined;

/** The stack that all tests of this run share. Tests that stop a server start their own one instead. */
export function testStack(): Promise<Stack> {
  connected ??= ask(inject('stackSocket')).then(connectStack);
  return connected;
}

/** A database and a vhost of the test's own within the shared stack; `drop` them afterwards. */
export async function testServices(name: string): Promise<Isolated> {
  return await isolate(await testStack(), name);
}

function ask(socketPath: string): Promise<StackDescription> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      if (response.statusCode === 200) resolve(JSON.parse(text) as StackDescription);
      else reject(new Error(text));
    });
    asking.on('error', reject);
    asking.end();
  });
}
