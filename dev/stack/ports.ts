import { createServer } from 'node:net';

// Below the range from which the kernel takes ports for outgoing connections: a stopped server
// must find its port free when it is started again.
const LOWEST = 20_000;
const BLOCK = 100;
const BLOCKS = 120;

// Processes that start servers at the same moment have neighbouring numbers, so blocks by number keep them apart.
let next = 0;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A free port on 127.0.0.1, a different one at each call. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < BLOCK * BLOCKS; tries += 1) {
    const offset = (process.pid % BLOCKS) * BLOCK + next;
    next += 1;
    const port = LOWEST + (offset % (BLOCK * BLOCKS));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${LOWEST + BLOCK * BLOCKS}`);
}
