import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Holds a server to so many connections at once. What is too many is closed at the expense of the address that has most
 * of them: nobody can take the places of all others, those of a probe least of all.
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

  /** The latest connection of the address with most, of the newcomer's where it has as many. */
  function crowded(newcomers: Set<Socket>): Socket {
    let largest = newcomers;
    for (const sockets of byAddress.values()) if (sockets.size > largest.size) largest = sockets;
    const [latest] = [...largest].slice(-1);
    if (latest === undefined) throw new Error('expected the newcomer at least');
    return latest;
  }
}
