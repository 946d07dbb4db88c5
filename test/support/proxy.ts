import { connect, createServer, type Socket } from 'node:net';

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
  /** Every chunk takes so many milliseconds longer, in each direction. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

/** Listens on a free local port and leads to the host and port of `target`, any URL. */
export async function startProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  /** Each socket and the one that it is relayed to. */
  const peers = new Map<Socket, Socket>();
  let stalled = false;
  let delayMs = 0;

  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    relay(near, far);
    relay(far, near);
  });

  function relay(from: Socket, to: Socket): void {
    peers.set(from, to);
    if (stalled) from.pause();
    from.on('data', (chunk) => {
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), delayMs);
    });
    // 'close' follows.
    from.on('error', () => {});
    from.on('close', () => {
      peers.delete(from);
      // Who is stalled is not told of an end either.
      if (!stalled) to.destroy();
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  const sockets = () => [...peers.keys()];

  return {
    url(text) {
      const url = new URL(text);
      url.host = `127.0.0.1:${ownPort}`;
      return url.href;
    },
    get connections() {
      return peers.size / 2;
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
      for (const [socket, peer] of peers) {
        if (peer.destroyed) socket.destroy();
        else socket.resume();
      }
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
