/** What a reply address of RabbitMQ's direct reply-to begins with. */
export const DIRECT_PREFIX = 'amq.rabbitmq.reply-to.';

/** Base64 of a process id, a dot, base64 of a key of 16 bytes. */
const FORM = /^((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\.[A-Za-z0-9+/]{22}==$/;

const TERM = 131;
/** Of each kind of process id how many bytes follow the name of its node. */
const AFTER_NODE = new Map([
  [88, 12],
  [103, 9],
]);
/** Of each kind of atom how many bytes its length takes. */
const LENGTH_BYTES = new Map([
  [100, 2],
  [115, 1],
  [118, 2],
  [119, 1],
]);

/**
 * The node that a direct reply address names, or null for an address that no RabbitMQ has given out. RabbitMQ up to 4.1
 * decodes what is sent to it (base64, then Erlang's external term format) and closes the connection over what it
 * cannot decode. From 3.10 to 4.x the process id names its node as `reply@` and a hash of the real name, before that
 * with the name itself; a node that the cluster does not have closes the connection too, and cannot be told from here.
 */
export function nodeOfDirectAddress(address: string): string | null {
  if (!address.startsWith(DIRECT_PREFIX)) return null;
  const encoded = FORM.exec(address.slice(DIRECT_PREFIX.length))?.[1];
  if (encoded === undefined) return null;
  const term = Buffer.from(encoded, 'base64');
  const after = term[0] === TERM ? AFTER_NODE.get(term[1] ?? 0) : undefined;
  const lengthBytes = LENGTH_BYTES.get(term[2] ?? 0);
  if (after === undefined || lengthBytes === undefined) return null;
  const start = 3 + lengthBytes;
  if (term.length < start) return null;
  const end = start + term.readUIntBE(3, lengthBytes);
  if (term.length !== end + after) return null;
  const node = term.toString('utf8', start, end);
  return /^[^@]+@[^@]+$/.test(node) ? node : null;
}
