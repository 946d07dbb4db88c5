import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limitConnections } from './connections.ts';

export interface BoundedServer {
  port: number;
  /** Ends it, and every connection. */
  close: () => Promise<void>;
}

export interface Bounds {
  /** The address that is listened on; undefined for all of this machine's. */
  host?: string | undefined;
  port: number;
  /** What may be asked; OPTIONS is answered with them, which is how some proxies look whether anybody is there. */
  methods: readonly string[];
  /** Requests of one client in a second that are answered at once. */
  perSecond: number;
  /** Milliseconds in which a request must have arrived, its body included. */
  requestMs: number;
  /** Milliseconds of silence on a connection, in the middle of an answer as well, after which it is closed. */
  silentMs: number;
  /** Who a request counts against. */
  clientOf: (request: IncomingMessage) => string;
}

/** Connections at once; idle ones make room after seconds. */
const CONNECTIONS = 512;
const HEADERS_MS = 5000;
const IDLE_MS = 5000;
const LOOK_EVERY_MS = 1000;
/** How long a request beyond the rate waits for its refusal: a client that asks on and on asks once in this time. */
const REFUSED_AFTER_MS = 2000;

/**
 * An HTTP server that strangers cannot make costly: connections, their idling and their slowness have bounds, and a
 * client that asks too often is told so, slowly. Rejects when the port cannot be had.
 */
export async function serveBounded(
  bounds: Bounds,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<BoundedServer> {
  const isWithin = rate(bounds.perSecond);
  const allow = [...bounds.methods, 'OPTIONS'].join(', ');
  const latest = new WeakMap<Socket, ServerResponse>();
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: bounds.requestMs,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
    },
    (request, response) => {
      const { socket } = request;
      const before = latest.get(socket);
      latest.set(socket, response);
      // No browser and no probe asks before it was answered, and thousands of requests fit into one packet.
      if (before !== undefined && !before.writableEnded) socket.destroy();
      else if (!isWithin(bounds.clientOf(request)))
        setTimeout(() => refuse(response, 429, { 'retry-after': '1' }), REFUSED_AFTER_MS).unref();
      else if (request.method === 'OPTIONS') response.writeHead(204, { allow }).end();
      else if (!bounds.methods.includes(request.method ?? '')) refuse(response, 405, { allow });
      else handle(request, response);
    },
  );
  limitConnections(server, CONNECTIONS);
  server.setTimeout(bounds.silentMs);
  await listening(server, bounds);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : bounds.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function refuse(response: ServerResponse, status: 405 | 429, headers: Record<string, string>): void {
  if (response.destroyed) return;
  response
    .writeHead(status, { 'content-type': 'text/plain', ...headers })
    .end(status === 429 ? 'too many requests\n' : `expected ${headers.allow}\n`);
}

/** Counts by client within the running second. */
function rate(perSecond: number): (client: string) => boolean {
  const counts = new Map<string, number>();
  let second = 0;
  return (client) => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) counts.clear();
    second = now;
    const count = (counts.get(client) ?? 0) + 1;
    counts.set(client, count);
    return count <= perSecond;
  };
}

function listening(server: Server, { host, port }: Bounds): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
