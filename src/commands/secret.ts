import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ConfigError } from '../config.ts';
import { complain, prompt } from './print.ts';

/**
 * Reads a secret from standard input; on a terminal asks for it twice without showing it. Throws ConfigError if the
 * two differ.
 */
export async function readSecret(question: string, again: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    const first = await ask(terminal, question);
    if (first !== (await ask(terminal, again))) throw new ConfigError('the passwords do not match');
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
