import { createInterface } from 'node:readline/promises';
import { printable } from '../../domain/printable.ts';

/** Asks on a terminal; anything but y or yes means no. */
export async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${printable(question)} [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
