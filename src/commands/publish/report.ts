import { counted } from '../../plural.ts';
import { finish } from '../exit.ts';
import { printJson, printLine, printTable } from '../print.ts';
import type { Sending, Summary } from './send.ts';

/**
 * Prints what became of the messages, and throws what ended the sending early.
 *
 * @param what the messages are
 */
export function report({ summary, problem }: Sending, what: 'calls' | 'records', json?: boolean): void {
  if (json) printJson(summary);
  else printSummary(summary, what);
  if (problem !== undefined) throw problem;
  finish(isAccepted(summary));
}

/** Whether everything was sent and answered with 2xx. */
export function isAccepted({ sent, byCode, interrupted }: Summary): boolean {
  const accepted = Object.entries(byCode).filter(([code]) => code.startsWith('2'));
  return accepted.reduce((sum, [, count]) => sum + count, 0) === sent && !interrupted;
}

export function printSummary(summary: Summary, what: 'calls' | 'records'): void {
  const { sent, byCode, duplicates, unanswered, skipped, interrupted, refused } = summary;
  const rows = Object.entries(byCode).sort();
  printTable(['code', what], [...rows, ...(unanswered > 0 ? [['no reply', unanswered]] : [])]);
  const parts = [`${sent} sent`, counted(duplicates, 'duplicate')];
  printLine([...parts, ...(what === 'records' ? [`${skipped} skipped`] : [])].join(', '));
  for (const { where, responses } of refused)
    for (const { code, key, message } of responses)
      printLine(`${where}: ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (interrupted)
    printLine('interrupted: send the same again to finish it; what is stored is answered as a duplicate');
}
