import { connect, createServer, type Socket } from 'node:net';

/** An address that can be pointed at another server, like a Service of Kubernetes. */
export interface MovingAddress {
  /** The same URL at this address. */
  url: (target: string) => string;
  /** Points new connections at the host and port of this URL. */
  lead: (target: string) => void;
  close: () => Promise<void>;
}

/** Listens on a free local port and forwards to the host and port of `target`, a URL of any kind. */
export async function startAddress(target: string): Promise<MovingAddress> {
  let { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      // 'close' follows.
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url(text) {
      const url = new URL(text);
      url.host = `127.0.0.1:${ownPort}`;
      return url.href;
    },
    lead(to) {
      ({ hostname, port } = new URL(to));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
