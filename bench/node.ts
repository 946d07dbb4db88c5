import { createVerifier } from '../src/auth/verifier.ts';
import { readBody } from '../src/domain/body.ts';
import { fingerprint, toCdr } from '../src/domain/cdr.ts';
import { charge, type References } from '../src/domain/charge.ts';
import { isDecimal } from '../src/domain/contract.ts';
import { amount } from '../src/domain/money.ts';
import { validate } from '../src/domain/validate.ts';
import { admit } from '../src/worker/admission.ts';
import { createReply } from '../src/worker/reply.ts';
import { currencies, customers, sender, taxes, workload } from './workload.ts';

const MESSAGES = 4000;
const ROUNDS = 5;
const nothingIgnored = new Set<string>();
const properties = {
  contentType: 'application/json',
  replyTo: 'cdrs.reply.bench',
  correlationId: '12345',
  messageId: null,
  routingKey: 'cdrs.create.sw-ams-1',
};
const rules = {
  resultsExchange: 'cdrs.results',
  allow: /^cdrs\.reply\./u,
  ownQueues: new Set(['cdrs.create', 'cdrs.dead', 'cdrs.results']),
};

/** CPU microseconds per message of every step that needs no server; one figure per round. */
export async function measureNode(): Promise<Record<string, number[]>> {
  // Only messages that pass: a refusal stops early and would make the later steps look cheaper.
  const texts = workload(MESSAGES, 7).messages.map(({ body }) => body.toString());
  const read = texts.flatMap((text) => {
    const body = readBody(text, 'json', isDecimal);
    if (body.kind !== 'fields') return [];
    const validation = validate(body.fields, nothingIgnored);
    return validation.kind === 'valid' ? [{ text, fields: body.fields, given: validation.call }] : [];
  });
  const cdrs = read.map(({ given }) => toCdr(given, 'USD'));
  const requests = read.map(({ text }) => {
    const body = Buffer.from(text);
    return { body, bytes: body.length, properties };
  });
  const verifier = createVerifier({
    readUsers: async () =>
      new Map([
        [
          sender.username,
          { username: sender.username, passwordHash: '-', role: 'system', active: true, confinement: null },
        ],
      ]),
    verify: async () => true,
  });
  await verifier.check(sender.username, sender.password);
  const admission = {
    maxBodyBytes: 65_536,
    keptBodyBytes: 4096,
    ignored: nothingIgnored,
    systemCurrency: 'USD',
    verify: verifier.check,
  };
  const references = referenceData();

  const charged = cdrs.flatMap((cdr) => {
    const charging = charge(cdr, references);
    return charging.kind === 'charged' ? [{ call: { cdr }, charge: charging.charge }] : [];
  });

  const steps: Record<string, () => void> = {
    'JSON.parse': () => each(read, ({ text }) => JSON.parse(text)),
    readBody: () => each(read, ({ text }) => readBody(text, 'json', isDecimal)),
    'validate and toCdr': () =>
      each(read, ({ fields }) => {
        const validation = validate(fields, nothingIgnored);
        return validation.kind === 'valid' && toCdr(validation.call, 'USD');
      }),
    fingerprint: () => each(cdrs, fingerprint),
    charge: () => each(cdrs, (cdr) => charge(cdr, references)),
    reply: () =>
      each(charged, (stored) =>
        createReply(properties, stored.call.cdr.uniqueid, { kind: 'accepted', stored }, rules),
      ),
    'admit, as a whole': () => each(requests, (request) => admit(request, admission)),
  };
  for (const step of Object.values(steps)) for (let turn = 0; turn < 3; turn += 1) step();
  const measured: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, step] of Object.entries(steps)) {
      // CPU time of this process, so that other load on the machine does not count.
      const before = process.cpuUsage();
      step();
      const { user, system } = process.cpuUsage(before);
      measured[name] = [...(measured[name] ?? []), (user + system) / read.length];
    }
  }
  verifier.stop();
  return measured;
}

/** Keeps V8 from optimizing away work whose result is not used. */
export let last: unknown;

function each<Item>(items: readonly Item[], work: (item: Item) => unknown): void {
  for (const item of items) last = work(item);
}

function referenceData(): References {
  const rows = taxes.map((tax) => ({
    ...tax,
    rate: amount(tax.rate),
    flat: amount(tax.flat),
    currency: null,
  }));
  const invoices = customers.map(({ id, invoice, currency }) => ({
    id: invoice,
    customer: id,
    currency,
    open: true,
    periodStart: 0,
    periodEnd: Number.MAX_SAFE_INTEGER,
  }));
  return {
    systemCurrency: 'USD',
    lateCalls: 'hold',
    currencies: new Map(Object.entries(currencies).map(([code, rate]) => [code, amount(rate)])),
    customers: new Map(customers.map(({ id, currency }) => [id, currency])),
    peers: new Set([1, 2]),
    taxesById: new Map(rows.map((tax) => [tax.id, tax])),
    taxesByName: new Map(rows.map((tax) => [tax.name, tax])),
    invoices: new Map(invoices.map((invoice) => [invoice.id, invoice])),
    openInvoices: new Map(invoices.map((invoice) => [invoice.customer, [invoice]])),
  };
}
