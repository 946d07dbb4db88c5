import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which the kernel takes ports for outgoing connections: a stopped server
// must find its port free when it is started again.
const LOWEST = 20_000;
const BLOCK = 100;
const BLOCKS = 120;

// Processes that start servers at the same moment have neighbouring process ids, so each gets its own block of ports.
// Processes of several test runs may share a block, but rarely begin at the same port in it.
let next = randomInt(BLOCK);

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
    const block = (process.pid + Math.floor(tries / BLOCK)) % BLOCKS;
    const port = LOWEST + block * BLOCK + (next % BLOCK);
    next += 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${LOWEST + BLOCK * BLOCKS}`);
}
