import { within } from '../retry.ts';
import type { BrokerConnection, Channel } from './connect.ts';
import { describeError } from './log.ts';

/** Why the broker refused, with its code. */
export interface Refusal {
  code: number;
  /** The broker's message. */
  text: string;
}

export const ACCESS_REFUSED = 403;
export const NOT_FOUND = 404;
export const PRECONDITION_FAILED = 406;

/** Asks on a new channel, since a refusal closes it. Null if the broker agrees. */
export async function ask(
  connection: BrokerConnection,
  question: (channel: Channel) => Promise<unknown>,
): Promise<Refusal | null> {
  const channel = await connection.openChannel();
  channel.on('error', () => {});
  try {
    await within(question(channel), connection.rpcTimeoutMs, 'the answer to a declaration');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'number') throw error;
    // amqplib puts the method and the code in front of the broker's message.
    return { code, text: describeError(error).replace(/^.*? with message "(.*)"$/s, '$1') };
  }
  await within(channel.close(), connection.rpcTimeoutMs, 'the answer to channel.close');
  return null;
}
