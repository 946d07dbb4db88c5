import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * What `/metrics` shows of the way to the broker and of replies that did not go where their sender wanted them.
 *
 * @param reasons every value of the label `why`: each series is there from the start
 */
export function createReplyMetrics(registry: Registry, reasons: readonly string[]) {
  const registers = [registry];
  const connected = new Gauge({
    name: 'cdr_ingest_connected',
    help: '1 while a connection to the broker is up. Those of direct replies appear with the first of these.',
    labelNames: ['connection'],
    registers,
  });
  const refusedExchange = new Gauge({
    name: 'cdr_ingest_reply_exchange_refused',
    help: '1 while the broker refuses replies to an exchange: no permission, or no such exchange.',
    labelNames: ['exchange'],
    registers,
  });
  const diverted = new Counter({
    name: 'cdr_ingest_diverted_replies_total',
    help: 'Replies that went to cdrs.results in place of their reply_to, by why.',
    labelNames: ['why'],
    registers,
  });
  for (const why of reasons) diverted.inc({ why }, 0);
  for (const exchange of ['default', 'results']) refusedExchange.set({ exchange }, 0);
  return { connected, refusedExchange, diverted };
}
