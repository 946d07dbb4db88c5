import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

/** The parts that readiness depends on, each true when it works. */
export type Readiness = Record<string, boolean>;

export interface OpsServer {
  port: number;
  close: () => Promise<void>;
}

/** The event loop must have turned within this time for the process to count as alive. */
const ALIVE_WITHIN_MS = 10_000;
const TURN_EVERY_MS = 1000;

/**
 * Serves `/livez`, `/readyz` and `/metrics`. Liveness depends on nothing but the event loop: a restart mends
 * neither broker nor database. Rejects when the port cannot be had.
 */
export async function serveOps(
  port: number,
  registry: Registry,
  readiness: () => Promise<Readiness>,
): Promise<OpsServer> {
  let turned = performance.now();
  const turning = setInterval(() => {
    turned = performance.now();
  }, TURN_EVERY_MS);
  turning.unref();

  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/livez')
      return json(response, performance.now() - turned < ALIVE_WITHIN_MS, { alive: true });
    if (path === '/readyz') {
      readiness()
        .then((parts) => json(response, Object.values(parts).every(Boolean), parts))
        .catch(() => json(response, false, {}));
      return;
    }
    if (path === '/metrics') {
      registry
        .metrics()
        .then((text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text))
        .catch(() => json(response, false, {}));
      return;
    }
    response.writeHead(404, { 'content-type': 'text/plain' }).end('expected /livez, /readyz or /metrics\n');
  });
  await listening(server, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        clearInterval(turning);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve());
  });
}

function json(response: ServerResponse, isGood: boolean, body: object): void {
  response
    .writeHead(isGood ? 200 : 503, { 'content-type': 'application/json' })
    .end(`${JSON.stringify(body)}\n`);
}
