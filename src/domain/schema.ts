import * as z from 'zod';
import { parameterNames, parameterRow, parameters } from './contract.ts';
import { correctionChannels, correctionMessages, correctionOperations } from './correction-schema.ts';
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

const nullable = <Schema extends { type: string }>(schema: Schema) => ({
  ...schema,
  type: [schema.type, 'null'],
});
const rate = amountSchema('Units of the currency per unit of the system currency.');

/** What the exchange of billed calls is told (billed-message.ts). */
const billedSchema = {
  type: 'object',
  properties: {
    uniqueid: { type: 'string' },
    entry: nullable({
      type: 'string',
      description: 'The id of the entry of a correction; null for the call itself.',
    }),
    customer: { type: 'integer' },
    charged: amountSchema('What the balance of the customer fell by, in `currency`.'),
    currency: { type: 'string', description: 'That of the customer.' },
    cost: amountSchema('Before tax, in `call_currency`.'),
    tax: amountSchema('Sum of the taxes, in `call_currency`.'),
    call_currency: { type: 'string' },
    invoice: nullable({ type: 'integer', description: 'The invoice that took it or that it names.' }),
    invoice_cost: amountSchema('What the invoice gained before tax, in `invoice_currency`.'),
    invoice_tax: amountSchema('What the invoice gained in taxes.'),
    invoice_currency: nullable({ type: 'string' }),
    terms: {
      type: 'object',
      description: 'What the amounts follow from.',
      properties: {
        system_rate: rate,
        currency_rate: rate,
        customer_rate: rate,
        invoice_rate: nullable(rate),
        taxes: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              id: { type: 'integer' },
              rate: amountSchema('Percent of the cost.'),
              flat: amountSchema('In `currency`.'),
              currency: nullable({ type: 'string', description: 'Null is the system currency.' }),
              currency_rate: nullable(rate),
            },
          },
        },
      },
    },
    repeat: { type: 'boolean', description: 'There may have been a message about it before.' },
  },
};

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
      ...correctionChannels,
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
      billed: {
        address: 'cdrs.billed.{about}',
        description:
          'The exchange that `BILLED_EXCHANGE` names, declared by whoever wants to be told; nothing is published without it.',
        parameters: { about: { enum: ['call', 'correction'] } },
        messages: { billed: { $ref: '#/components/messages/billed' } },
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
      ...correctionOperations,
      publishResult: {
        action: 'send',
        channel: { $ref: '#/channels/results' },
        messages: [{ $ref: '#/channels/results/messages/result' }],
      },
      publishBilled: {
        action: 'send',
        channel: { $ref: '#/channels/billed' },
        messages: [{ $ref: '#/channels/billed/messages/billed' }],
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
        ...correctionMessages,
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
        billed: {
          name: 'billed',
          title: 'What a stored call was charged, or an entry of a correction moved',
          contentType: 'application/json',
          headers: {
            type: 'object',
            properties: {
              uniqueid: { type: 'string' },
              entry: { type: 'string' },
              repeat: { type: 'boolean' },
            },
          },
          payload: billedSchema,
        },
      },
    },
  };
}
