import { PrismaPg } from '@prisma/adapter-pg';
import { type ConsumeMessage, connect } from 'amqplib';
import * as z from 'zod';
import { Prisma, PrismaClient } from '../src/store/generated/client.ts';

/**
 * The program of the part `idiom`: the consumer that most of us would write first. Each message is one interactive
 * transaction and one confirmed reply, a hundred at a time. It does less than the worker: no password, taxes,
 * currencies, defaults, fingerprints or dead letters, and whatever fails is only retried. Do not change it: it is what
 * other figures are compared with.
 */
const schema = z.object({
  uniqueid: z.string().min(1),
  machine: z.string().min(1),
  start: z.number().int(),
  end: z.number().int(),
  scustomer: z.number().int(),
  dcustomer: z.number().int(),
  stype: z.string(),
  snumber: z.string(),
  spresent: z.number().int(),
  sname: z.string(),
  ctype: z.string(),
  cnumber: z.string(),
  dtype: z.string(),
  dnumber: z.string(),
  callid: z.string(),
  channel: z.string(),
  cost: z.string().regex(/^-?\d+(\.\d{1,6})?$/),
  currency: z.string().length(3),
  ingroup_time: z.number().int(),
  outgroup_time: z.number().int(),
  media: z.enum(['fax', 'message', 'voice']),
  messages: z.number().int(),
  note: z.string(),
  peer: z.number().int(),
  recording: z.string(),
  status: z.string(),
  talktime: z.number().int(),
  taxes: z.string(),
  time: z.number().int(),
  totaltime: z.number().int(),
  update_balance: z.number().int(),
  update_invoices: z.number().int(),
});

const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL ?? '' }),
});
const connection = await connect(process.env.AMQP_URL ?? '');
const channel = await connection.createConfirmChannel();
await channel.prefetch(100);
await channel.consume('cdrs.create', async (message) => {
  if (message === null) return;
  try {
    const answer = await handle(message);
    await reply(message, answer);
    channel.ack(message);
  } catch {
    channel.nack(message);
  }
});

async function handle(message: ConsumeMessage) {
  const parsed = schema.safeParse(JSON.parse(message.content.toString()));
  if (!parsed.success) {
    return parsed.error.issues.map(({ path, message }) => ({ code: '400', key: path.join('.'), message }));
  }
  try {
    await store(parsed.data);
  } catch (error) {
    if (!(error instanceof Prisma.PrismaClientKnownRequestError)) throw error;
    // P2002: stored before. P2025: no such customer.
    if (error.code === 'P2025') return [{ code: '400', key: 'scustomer', message: 'no such customer' }];
    if (error.code !== 'P2002') throw error;
  }
  return [{ code: '204', key: '', message: 'OK' }];
}

async function store(call: z.infer<typeof schema>): Promise<void> {
  const cost = new Prisma.Decimal(call.cost);
  await prisma.$transaction(
    async (tx) => {
      const start = new Date(call.start * 1000);
      const invoice = await tx.invoice.findFirst({
        where: {
          customer: call.scustomer,
          status: 'open',
          periodStart: { lte: start },
          periodEnd: { gt: start },
        },
      });
      await tx.cdr.create({
        data: {
          ...call,
          start,
          end: new Date(call.end * 1000),
          invoice: invoice?.id ?? null,
          invoiceNamed: false,
          tax: 0,
          charged: cost,
          invoiceCost: cost,
          invoiceTax: 0,
          systemRate: 1,
          currencyRate: 1,
          customerCurrency: call.currency,
          customerRate: 1,
          fingerprint: new Uint8Array(32),
          submittedBy: 'idiom',
        },
      });
      await tx.customer.update({
        where: { id: call.scustomer },
        data: { balance: { decrement: cost }, charged: { increment: cost }, calls: { increment: 1 } },
      });
      if (invoice !== null) {
        await tx.invoice.update({
          where: { id: invoice.id },
          data: { cost: { increment: cost }, total: { increment: cost }, calls: { increment: 1 } },
        });
      }
    },
    { maxWait: 10_000, timeout: 20_000 },
  );
}

function reply(message: ConsumeMessage, responses: { code: string; key: string; message: string }[]) {
  const { replyTo, correlationId } = message.properties;
  const body = Buffer.from(JSON.stringify({ responses }));
  return new Promise<void>((resolve, reject) => {
    channel.sendToQueue(replyTo, body, { persistent: true, correlationId }, (error) =>
      error ? reject(error) : resolve(),
    );
  });
}
