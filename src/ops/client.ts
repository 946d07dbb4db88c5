import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Where a request comes from. */
export interface ClientAddress {
  /** An IPv4 address, or the /64 of an IPv6 address, within which a client can choose any address. */
  address: string;
  isHttps: boolean;
  /** It has an X-Forwarded-For header, but does not come from a trusted proxy. */
  isUnbelieved: boolean;
}

/** Returns a test for trusted proxies, which are given as addresses or networks such as 10.0.0.0/8. */
export function trustedProxies(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) > 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The client of a request: the peer of the connection or, if that is a trusted proxy, the last hop in
 * `X-Forwarded-For` that is not. Anybody can have written the hops before that one.
 */
export function clientOf(
  { socket, headers }: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } },
  isTrusted: (address: string) => boolean,
): ClientAddress {
  const peer = plainAddress(socket.remoteAddress ?? '') ?? '';
  const forwarded = String(headers['x-forwarded-for'] ?? '');
  if (!isTrusted(peer)) return { address: clientKey(peer), isHttps: false, isUnbelieved: forwarded !== '' };
  let client = peer;
  for (const hop of forwarded.split(',').reverse()) {
    const address = plainAddress(hop.trim());
    // A trusted proxy writes addresses only, so the entries up to this one cannot be trusted.
    if (address === undefined) break;
    client = address;
    if (!isTrusted(address)) break;
  }
  const scheme = String(headers['x-forwarded-proto'] ?? '')
    .split(',')
    .at(-1)
    ?.trim()
    .toLowerCase();
  return { address: clientKey(client), isHttps: scheme === 'https', isUnbelieved: false };
}

/** An address without port, brackets and zone; IPv4-mapped IPv6 becomes IPv4. Undefined if it is not an address. */
function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/%.*$/, '').toLowerCase();
  if (isIP(address) === 0) return undefined;
  if (isIP(address) === 4) return address;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const [high = 0, low = 0] = groups.slice(6);
  return isMapped ? `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}` : address;
}

function clientKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const prefix = groupsOf(address).slice(0, 4);
  return `${prefix.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The URL parser normalizes every form: compressed, and without dots.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before = '', after] = canonical.split('::');
  const numbers = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [head, tail] = [numbers(before), numbers(after ?? '')];
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
