import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { type BoundedServer, serveBounded } from './bounded-server.ts';
import { clientOf } from './client.ts';
import { sharedReading } from './shared-reading.ts';

/** The parts that readiness depends on, true if they work, and numbers for information. */
export type Readiness = Record<string, boolean | number>;

export interface OpsOptions {
  /** Undefined for all addresses of this machine. */
  host?: string | undefined;
  port: number;
  registry: Registry;
  readiness: () => Promise<Readiness>;
}

/** The event loop must have turned within this time for the process to count as alive. */
const ALIVE_WITHIN_MS = 10_000;
const TURN_EVERY_MS = 1000;
/** A result is reused for this long, because computing it takes time that the worker needs for calls. */
const REUSED_MS = 500;
const PER_SECOND = 50;
const REQUEST_MS = 10_000;
const SILENT_MS = 15_000;

/**
 * Serves `/livez`, `/readyz` and `/metrics`. Liveness depends on the event loop alone: a restart repairs neither broker
 * nor database. Rejects with ListenError.
 */
export async function serveOps({ host, port, registry, readiness }: OpsOptions): Promise<BoundedServer> {
  let turned = performance.now();
  const turning = setInterval(() => {
    turned = performance.now();
  }, TURN_EVERY_MS);
  turning.unref();
  const ready = sharedReading(readiness, REUSED_MS);
  const metrics = sharedReading(() => registry.metrics(), REUSED_MS);

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/livez') json(response, performance.now() - turned < ALIVE_WITHIN_MS, { alive: true });
    else if (path === '/readyz')
      ready().then(
        (parts) => json(response, !Object.values(parts).includes(false), parts),
        () => json(response, false, {}),
      );
    else if (path === '/metrics')
      metrics().then(
        (page) => text(response, 200, page, { 'content-type': registry.contentType }),
        () => json(response, false, {}),
      );
    else text(response, 404, 'expected /livez, /readyz or /metrics\n');
  }

  const server = await serveBounded(
    {
      host,
      port,
      methods: ['GET', 'HEAD'],
      perSecond: PER_SECOND,
      requestMs: REQUEST_MS,
      silentMs: SILENT_MS,
      clientOf: (request) => clientOf(request, () => false).address,
    },
    handle,
  );
  return {
    port: server.port,
    close: async () => {
      clearInterval(turning);
      await server.close();
    },
  };
}

function text(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
}

function json(response: ServerResponse, isGood: boolean, body: object): void {
  response
    .writeHead(isGood ? 200 : 503, { 'content-type': 'application/json' })
    .end(`${JSON.stringify(body)}\n`);
}
