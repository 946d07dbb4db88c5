import { connect, createServer, type Socket } from 'node:net';

/** An address that leads to one server and later to another, as a service of Kubernetes does. */
export interface MovingAddress {
  /** The same URL at this address. */
  url: (target: string) => string;
  /** New connections lead to the host and port of this URL. */
  lead: (target: string) => void;
  close: () => Promise<void>;
}

/** Listens on a free local port and leads to the host and port of `target`, any URL. */
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
