import { maskCallText } from '../domain/masking.ts';
import { printable } from '../domain/printable.ts';
import { shorten } from '../domain/text.ts';

/** Primary messages of these classes name tables, constraints, roles or hosts, never values of a call. */
const SAFE_CLASSES = new Set([
  '08',
  '0A',
  '23',
  '25',
  '26',
  '28',
  '3D',
  '3F',
  '40',
  '42',
  '53',
  '55',
  '57',
  '58',
  'CD',
]);

/** Raised by a trigger: the words of whoever wrote it, who means them to be read. Where no password is stored they can quote none. */
const RAISED = 'P0001';
const RAISED_MAX = 200;

/** What to say for class 22, whose own messages quote the value. */
const DATA_EXCEPTIONS: Record<string, string> = {
  '22001': 'text too long',
  '22003': 'number out of range',
  '22007': 'not a date',
  '22008': 'date out of range',
  '22012': 'division by zero',
  '22021': 'character not in repertoire',
  '22P02': 'text does not match its type',
  '22P05': 'character that cannot be stored',
};

/** What the server said, in one line that shows no password. */
export function describeSqlState(state: string, message: string): string {
  const text = wordsFor(state, message);
  return text === undefined ? `SQLSTATE ${state}` : `${text} (SQLSTATE ${state})`;
}

function wordsFor(state: string, message: string): string | undefined {
  if (state === RAISED) return shorten(printable(maskCallText(oneLine(message))), RAISED_MAX) || undefined;
  return SAFE_CLASSES.has(state.slice(0, 2)) ? oneLine(message) : DATA_EXCEPTIONS[state];
}

export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
