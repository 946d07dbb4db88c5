import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ConfigError } from '../config.ts';
import { complain, prompt } from './print.ts';

/**
 * A secret from standard input, or asked for twice on a terminal without showing it. Throws ConfigError when the
 * two differ.
 */
export async function readSecret(question: string, again: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    const first = await ask(terminal, question);
    if (first !== (await ask(terminal, again))) throw new ConfigError('password: the two were not the same');
    return first;
  } finally {
    terminal.close();
  }
}

async function ask(terminal: ReturnType<typeof createInterface>, question: string): Promise<string> {
  prompt(question);
  const answer = await terminal.question('');
  complain('');
  return answer;
}
