import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { registerAttach } from './attach.ts';
import { registerLate } from './late.ts';

/** `invoice`: what belongs on invoices and none took. */
export function registerInvoice(program: Command): void {
  const invoice = program.command('invoice').description('List late calls, and put them on open invoices');
  addUsage(invoice, {
    examples: ['cdr-ingest invoice late', 'cdr-ingest invoice attach --customer 1 --invoice 12 --dry-run'],
  });
  registerLate(invoice);
  registerAttach(invoice);
}
