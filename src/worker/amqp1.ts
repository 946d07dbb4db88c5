// What an AMQP 1.0 sender writes, as RabbitMQ hands it to consumers of AMQP 0.9.1 (docs/interface.md, "AMQP 1.0").

/** Sections of a body by their codes. A single data section arrives as its bytes alone, anything else as it is encoded. */
const SECTIONS: ReadonlyMap<number, string> = new Map([
  [0x75, 'several AMQP 1.0 data sections'],
  [0x76, 'an AMQP 1.0 sequence (amqp-sequence)'],
  [0x77, 'an AMQP 1.0 value (amqp-value)'],
]);

/** A section begins with 0, which no JSON and no form does, and its code as an integer of one byte or of eight. */
const DESCRIBED = 0;
const SMALL_CODE = 0x53;
const LARGE_CODE = Buffer.from([DESCRIBED, 0x80, 0, 0, 0, 0, 0, 0, 0]);

/** What an AMQP 1.0 body consists of that is no single data section; undefined for any other body. */
export function sectionsIn(body: Buffer): string | undefined {
  if (body[0] !== DESCRIBED) return undefined;
  if (body[1] === SMALL_CODE) return SECTIONS.get(body[2] ?? 0);
  return body.indexOf(LARGE_CODE) === 0 ? SECTIONS.get(body[LARGE_CODE.length] ?? 0) : undefined;
}

/** The addresses of a queue: version 2, and the two forms of version 1. */
const QUEUE_ADDRESS = /^\/(?:queues|queue|amq\/queue)\/(.+)$/s;

/** The queue that a `reply_to` names. RabbitMQ up to 4.1 hands on the address that the sender wrote. */
export function queueOf(replyTo: string): string {
  const name = replyTo.startsWith('/') ? QUEUE_ADDRESS.exec(replyTo)?.[1] : undefined;
  if (name === undefined) return replyTo;
  try {
    return decodeURIComponent(name);
  } catch {
    return replyTo;
  }
}
