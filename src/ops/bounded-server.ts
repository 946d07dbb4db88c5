import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limitConnections } from './connections.ts';

export interface BoundedServer {
  port: number;
  /** Closes the server and every connection. */
  close: () => Promise<void>;
}

export interface Bounds {
  /** The address to listen on; undefined for all addresses of this machine. */
  host?: string | undefined;
  port: number;
  /** Allowed methods. OPTIONS, with which some proxies check for a server, is answered with this list. */
  methods: readonly string[];
  /** Requests of one client that are answered at once in each second. */
  perSecond: number;
  /** Milliseconds in which a request must have arrived, including its body. */
  requestMs: number;
  /** Milliseconds after which a silent connection is closed, even in the middle of a response. */
  silentMs: number;
  /** The client that a request counts against. */
  clientOf: (request: IncomingMessage) => string;
}

/** Concurrent connections; idle ones are closed after seconds. */
const CONNECTIONS = 512;
const HEADERS_MS = 5000;
const IDLE_MS = 5000;
const CHECK_EVERY_MS = 1000;
/** How long a request above the rate waits for its 429: this slows down a client that keeps asking. */
const REFUSED_AFTER_MS = 2000;

/**
 * An HTTP server with bounds: on connections, on idle and slow ones, and on the request rate of each client, so that
 * nobody can make it expensive. Rejects with ListenError.
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
      connectionsCheckingInterval: CHECK_EVERY_MS,
    },
    (request, response) => {
      const { socket } = request;
      const before = latest.get(socket);
      latest.set(socket, response);
      // Browsers and probes do not pipeline requests, and thousands of them would fit into one packet.
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

/** Counts requests by client within the current second. */
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

/** The address or the port cannot be used. */
export class ListenError extends Error {}

function listening(server: Server, { host, port }: Bounds): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message;
      reject(new ListenError(`cannot listen on ${host ?? '*'}:${port}: ${reason}`, { cause: error }));
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
}
