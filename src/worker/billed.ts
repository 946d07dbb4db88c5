import { type OthersExchange, openOthersExchange, type Taking } from '../broker/others-exchange.ts';
import type { OutgoingMessage } from '../broker/publisher.ts';
import type { SupervisedConnection } from '../broker/supervisor.ts';
import { type BilledMessage, billedMessagesOf } from '../domain/billed-message.ts';
import { mapPairs } from '../pairs.ts';
import type { Ports } from './ports.ts';
import type { Answer } from './reply.ts';
import type { Request } from './request.ts';

/** Billed messages that may wait for their confirm at once. */
const MAX_IN_FLIGHT = 5000;

/** The exchange of billed calls (BILLED_EXCHANGE). */
export interface BilledExchange extends Pick<OthersExchange, 'isTaking' | 'stop'> {
  publish: (messages: readonly BilledMessage[]) => Promise<Taking[]>;
}

/** @param connection for it alone: a missing exchange closes its channel */
export function openBilledExchange(
  connection: SupervisedConnection,
  exchange: string,
  timeoutMs: number,
  onRefused: (isRefused: boolean, detail: string) => void,
): BilledExchange {
  const options = { timeoutMs, maxInFlight: MAX_IN_FLIGHT };
  const others = openOthersExchange(connection, exchange, options, onRefused);
  return {
    get isTaking() {
      return others.isTaking;
    },
    publish: (messages) => others.publish(messages.map((message) => toOutgoing(exchange, message))),
    stop: others.stop,
  };
}

function toOutgoing(exchange: string, message: BilledMessage): OutgoingMessage {
  const { id, about, uniqueid, entry, isRepeat, body } = message;
  const routingKey = `cdrs.billed.${about}`;
  const headers = { uniqueid, ...(entry !== null && { entry }), repeat: isRepeat };
  return {
    exchange,
    routingKey,
    mandatory: true,
    body: Buffer.from(body),
    properties: {
      contentType: 'application/json',
      persistent: true,
      messageId: id,
      type: routingKey,
      headers,
    },
  };
}

/**
 * Publishes what calls were charged until each message is confirmed. False where none of their deliveries can be
 * acknowledged any more: the broker delivers them again, and they are told again as repeats. Where nobody is to be told it
 * does nothing.
 */
export async function publishBilled<Delivery extends Request>(
  answers: readonly Answer<Delivery>[],
  { publishBilled: publish, observe, pause, isLive }: Ports<Delivery>,
): Promise<boolean> {
  if (publish === undefined) return true;
  let open = answers.flatMap(({ outcome }) => billedMessagesOf(outcome));
  for (let attempt = 0; open.length > 0; attempt += 1) {
    const results = await publish(open);
    open = mapPairs(open, results, (message, result) => (result === 'confirmed' ? [] : [message])).flat();
    if (open.length === 0) return true;
    if (results.includes('failed'))
      observe({ kind: 'trouble', cause: 'broker', description: 'billed messages were not confirmed' });
    await pause(results.includes('refused') ? 'billed' : 'broker', attempt);
    if (!answers.some(({ message }) => isLive(message.delivery))) return false;
  }
  return true;
}
