import * as z from 'zod';
import { rowIn } from './contract.ts';
import { updateParameters, voidParameters } from './correction-contract.ts';

const CORRECTING = [
  { operation: 'update', parameters: updateParameters, title: 'What changes of a stored call' },
  { operation: 'void', parameters: voidParameters, title: 'The voiding of a stored call' },
] as const;

function ofEach<Value>(make: (one: (typeof CORRECTING)[number]) => [name: string, value: Value]) {
  return Object.fromEntries(CORRECTING.map(make));
}

/** Of the AsyncAPI document: where corrections are published. */
export const correctionChannels = ofEach(({ operation }) => [
  operation,
  {
    address: `cdrs.${operation}`,
    description: `Published to the exchange \`cdrs\` with routing key \`cdrs.${operation}\` or \`cdrs.${operation}.<any word>\`.`,
    messages: { [operation]: { $ref: `#/components/messages/${operation}` } },
    bindings: {
      amqp: {
        is: 'routingKey',
        exchange: { name: 'cdrs', type: 'topic', durable: true },
        bindingVersion: '0.3.0',
      },
    },
  },
]);

export const correctionOperations = ofEach(({ operation }) => [
  `${operation}Call`,
  {
    action: 'receive',
    channel: { $ref: `#/channels/${operation}` },
    messages: [{ $ref: `#/channels/${operation}/messages/${operation}` }],
    reply: {
      address: { location: '$message.header#/replyTo' },
      channel: { $ref: '#/channels/reply' },
      messages: [{ $ref: '#/channels/reply/messages/result' }],
    },
  },
]);

export const correctionMessages = ofEach(({ operation, parameters, title }) => [
  operation,
  {
    name: operation,
    title,
    summary: 'The property `message_id` becomes the id of its entry, and is required.',
    contentType: 'application/json',
    payload: {
      title: `cdrs/${operation}`,
      ...z.toJSONSchema(parameters, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }),
      required: Object.keys(parameters.shape).filter((name) => rowIn(parameters.shape, name)?.required),
    },
  },
]);
