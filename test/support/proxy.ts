import { connect, createServer, type Socket } from 'node:net';

/** One end of a connection: the one that opened it, or the one it leads to. */
export type Side = 'client' | 'server';

/** A TCP proxy that can disturb connections as networks do. */
export interface FaultProxy {
  /** The same URL, through the proxy. */
  url(target: string): string;
  readonly connections: number;
  /** Resets every open connection. New ones are accepted. */
  cut(): void;
  /** From now on nothing passes in either direction, without any notice: half-open connections. */
  stall(): void;
  /** Ends `stall`: what was held back passes. */
  resume(): void;
  /**
   * From now on holds back what one side sends on connections, old and new, whose client has sent `name` at the start,
   * for example the `connection_name` of an AMQP client. '' means all. The end of a connection passes, and what was
   * held back on it is then lost.
   */
  hold(side: Side, name?: string): void;
  /** Ends `hold`: what was held back passes. */
  release(): void;
  /** Sends bytes as if they came from one side, on every open connection. */
  say(side: Side, bytes: Buffer): void;
  /** Delays every chunk by this many milliseconds, in each direction. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

interface Connection {
  /** Per side its socket, and the chunks from it that are held back. */
  sides: Record<Side, { socket: Socket; kept: Buffer[] }>;
  /** The first bytes that the client sent. */
  greeting: string;
}

/** An AMQP client sends its name within these. */
const GREETING_BYTES = 4096;
const OTHER: Record<Side, Side> = { client: 'server', server: 'client' };

/** Listens on a free local port and forwards to the host and port of `target`, a URL of any kind. */
export async function startProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const connections = new Set<Connection>();
  let held: { side: Side; name: string } | null = null;
  let stalled = false;
  let delayMs = 0;

  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    const connection: Connection = {
      sides: { client: { socket: near, kept: [] }, server: { socket: far, kept: [] } },
      greeting: '',
    };
    connections.add(connection);
    relay(connection, 'client');
    relay(connection, 'server');
  });

  function relay(connection: Connection, side: Side): void {
    const { socket, kept } = connection.sides[side];
    const to = connection.sides[OTHER[side]].socket;
    if (stalled) socket.pause();
    socket.on('data', (chunk) => {
      const isGreeting = side === 'client' && connection.greeting.length < GREETING_BYTES;
      if (isGreeting) connection.greeting += chunk.toString('latin1');
      if (held?.side === side && connection.greeting.includes(held.name)) kept.push(chunk);
      else if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), delayMs);
    });
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      // A stalled connection gets no notice of an end either.
      if (!stalled) to.destroy();
      if (to.destroyed) connections.delete(connection);
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  const sockets = () => [...connections].flatMap(({ sides }) => [sides.client.socket, sides.server.socket]);

  return {
    url(text) {
      const url = new URL(text);
      url.host = `127.0.0.1:${ownPort}`;
      return url.href;
    },
    get connections() {
      return connections.size;
    },
    cut() {
      for (const socket of sockets()) socket.resetAndDestroy();
    },
    stall() {
      stalled = true;
      for (const socket of sockets()) socket.pause();
    },
    resume() {
      stalled = false;
      for (const { sides } of connections) {
        const [near, far] = [sides.client.socket, sides.server.socket];
        const isOver = near.destroyed || far.destroyed;
        for (const socket of [near, far]) {
          if (isOver) socket.destroy();
          else socket.resume();
        }
      }
    },
    hold(side, name = '') {
      held = { side, name };
    },
    release() {
      held = null;
      for (const { sides } of connections) {
        for (const side of ['client', 'server'] as const) {
          const to = sides[OTHER[side]].socket;
          for (const chunk of sides[side].kept.splice(0)) to.write(chunk);
        }
      }
    },
    say(side, bytes) {
      for (const { sides } of connections) sides[OTHER[side]].socket.write(bytes);
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    async close() {
      stalled = false;
      for (const socket of sockets()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
