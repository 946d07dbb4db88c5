import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that can do to a connection what networks do. */
export interface Proxy {
  /** The same URL, led through the proxy. */
  url(target: string): string;
  readonly connections: number;
  /** Breaks every connection there is, without a goodbye. New ones are taken. */
  cut(): void;
  /** From now on nothing comes through in either direction and nobody is told: half-open connections. */
  stall(): void;
  /** Ends `stall`: what was held back comes through. */
  resume(): void;
  /** Every chunk takes so many milliseconds longer, in each direction. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

/** Listens on a free local port and leads to the host and port of `target`, any URL. */
export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  let stalled = false;
  let delayMs = 0;

  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    relay(near, far, pair);
    relay(far, near, pair);
  });

  function relay(from: Socket, to: Socket, pair: [Socket, Socket]): void {
    if (stalled) from.pause();
    from.on('data', (chunk) => {
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), delayMs);
    });
    const end = () => {
      pairs.delete(pair);
      // Who is stalled is not told either.
      if (!stalled) to.destroy();
    };
    from.on('close', end);
    from.on('error', end);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  const each = (act: (socket: Socket) => void) => {
    for (const pair of pairs) for (const socket of pair) act(socket);
  };

  return {
    url(text) {
      const url = new URL(text);
      url.host = `127.0.0.1:${ownPort}`;
      return url.href;
    },
    get connections() {
      return pairs.size;
    },
    cut: () => each((socket) => socket.resetAndDestroy()),
    stall() {
      stalled = true;
      each((socket) => socket.pause());
    },
    resume() {
      stalled = false;
      each((socket) => socket.resume());
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    async close() {
      each((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
