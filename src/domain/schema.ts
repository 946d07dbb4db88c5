import * as z from 'zod';
import { parameterNames, parameterRow, parameters } from './contract.ts';
import { codes } from './outcome.ts';

/** The JSON Schema (draft 2020-12) of a request body, from the schema that the worker validates with. */
export function messageSchema() {
  return {
    title: 'cdrs/create',
    description:
      'A completed call. Integers and decimals may be JSON numbers or text; empty text means the default.',
    // Each parameter is read by a function and brings its JSON Schema with it.
    ...z.toJSONSchema(parameters, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }),
    required: parameterNames.filter((name) => parameterRow(name)?.required),
  };
}

const envelopeSchema = {
  type: 'object',
  required: ['responses'],
  properties: {
    responses: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['code', 'key', 'message'],
        properties: {
          code: { type: 'string', enum: [...codes] },
          key: { type: 'string', description: 'The parameter at fault, empty where it is none.' },
          message: { type: 'string' },
        },
      },
    },
  },
};

function amountSchema(description: string) {
  return { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]+)?$', description };
}

/** The AsyncAPI 3.0 document of the queue interface. */
export function asyncApi(version: string) {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'cdr-ingest',
      version,
      description:
        'Completed calls over RabbitMQ, stored and charged exactly once, each answered on a reply queue.',
    },
    defaultContentType: 'application/json',
    channels: {
      create: {
        address: 'cdrs.create',
        description:
          'Published to the exchange `cdrs` with routing key `cdrs.create` or `cdrs.create.<machine>`.',
        messages: { call: { $ref: '#/components/messages/call' } },
        bindings: {
          amqp: {
            is: 'routingKey',
            exchange: { name: 'cdrs', type: 'topic', durable: true },
            bindingVersion: '0.3.0',
          },
        },
      },
      results: {
        address: 'cdrs.result.{code}',
        description: 'The exchange for replies to requests without a `reply_to`: `cdrs.results`.',
        parameters: { code: { enum: [...codes], description: 'The code of the first entry.' } },
        messages: { result: { $ref: '#/components/messages/result' } },
        bindings: {
          amqp: {
            is: 'routingKey',
            exchange: { name: 'cdrs.results', type: 'topic', durable: true },
            bindingVersion: '0.3.0',
          },
        },
      },
      reply: {
        address: null,
        description: 'The queue that the request names in `reply_to`.',
        messages: { result: { $ref: '#/components/messages/result' } },
      },
    },
    operations: {
      createCall: {
        action: 'receive',
        channel: { $ref: '#/channels/create' },
        messages: [{ $ref: '#/channels/create/messages/call' }],
        reply: {
          address: { location: '$message.header#/replyTo' },
          channel: { $ref: '#/channels/reply' },
          messages: [{ $ref: '#/channels/reply/messages/result' }],
        },
      },
      publishResult: {
        action: 'send',
        channel: { $ref: '#/channels/results' },
        messages: [{ $ref: '#/channels/results/messages/result' }],
      },
    },
    components: {
      messages: {
        call: {
          name: 'call',
          title: 'A completed call',
          contentType: 'application/json',
          payload: messageSchema(),
        },
        result: {
          name: 'result',
          title: 'What became of a call',
          contentType: 'application/json',
          headers: {
            type: 'object',
            properties: {
              uniqueid: { type: 'string' },
              duplicate: { type: 'boolean' },
              charged: amountSchema(
                'What the balance of the customer fell by, in `currency`. Of a stored call.',
              ),
              currency: { type: 'string', description: 'That of the customer.' },
              tax: amountSchema('Sum of the taxes, in the currency of the call.'),
              invoice: { type: 'integer', description: 'The invoice that took the call or that it names.' },
            },
          },
          payload: envelopeSchema,
        },
      },
    },
  };
}
