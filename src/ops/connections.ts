import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Limits the concurrent connections of a server. Above the limit, the latest connection of the address with the most
 * connections is closed, so that no client can lock out others, such as a health probe.
 */
export function limitConnections(server: Server, most: number): void {
  const byAddress = new Map<string, Set<Socket>>();
  let count = 0;

  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const own = byAddress.get(address) ?? new Set<Socket>();
    byAddress.set(address, own.add(socket));
    count += 1;
    socket.once('close', () => {
      count -= 1;
      own.delete(socket);
      if (own.size === 0 && byAddress.get(address) === own) byAddress.delete(address);
    });
    if (count > most) crowded(own).destroy();
  });

  /** The latest connection of the address with the most connections; in a tie, of the newcomer's address. */
  function crowded(newcomers: Set<Socket>): Socket {
    let largest = newcomers;
    for (const sockets of byAddress.values()) if (sockets.size > largest.size) largest = sockets;
    const [latest] = [...largest].slice(-1);
    if (latest === undefined) throw new Error('expected at least the new connection');
    return latest;
  }
}
