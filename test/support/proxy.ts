import { connect, createServer, type Socket } from 'node:net';

/** Who speaks on a connection: the one who opened it, or the one it leads to. */
export type Side = 'client' | 'server';

/** A TCP proxy that can do to a connection what networks do. */
export interface FaultProxy {
  /** The same URL, led through the proxy. */
  url(target: string): string;
  readonly connections: number;
  /** Breaks every connection there is, without a goodbye. New ones are taken. */
  cut(): void;
  /** From now on nothing comes through in either direction and nobody is told: half-open connections. */
  stall(): void;
  /** Ends `stall`: what was held back comes through. */
  resume(): void;
  /**
   * From now on keeps back what one side says on connections, old and new, whose client has said `name`: an AMQP
   * client its `connection_name`, for example. '' means all. An end comes through, and what was kept back never
   * arrives then.
   */
  hold(side: Side, name?: string): void;
  /** Ends `hold`: what was kept back comes through. */
  release(): void;
  /** Says something in the name of one side, on every connection there is. */
  say(side: Side, bytes: Buffer): void;
  /** Every chunk takes so many milliseconds longer, in each direction. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

interface Connection {
  /** What each side speaks through: its socket, and what of its words is kept back. */
  sides: Record<Side, { socket: Socket; kept: Buffer[] }>;
  /** What the client said at first. */
  greeting: string;
}

/** An AMQP client gives its name within these. */
const GREETING_BYTES = 4096;
const OTHER: Record<Side, Side> = { client: 'server', server: 'client' };

/** Listens on a free local port and leads to the host and port of `target`, any URL. */
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
      // Who is stalled is not told of an end either.
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
