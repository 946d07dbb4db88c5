import type { LetterToTry } from '../store/replays/letters.ts';

/** Letters that one transaction persists; it locks their customers until it is rolled back. */
const TRANSACTION = 200;
/** Of a transaction, what is read at once. */
const PART = 200;
const PART_BYTES = 4_194_304;

/**
 * What the transactions of a dry run persist: letters of one uniqueid together, however many they are, in the order in
 * which a replay would send them.
 */
export function transactionsOf<Letter extends Pick<LetterToTry, 'id' | 'uniqueid'>>(
  letters: readonly Letter[],
): Letter[][] {
  const groups = new Map<string, Letter[]>();
  for (const letter of letters) {
    const key = letter.uniqueid ? `uniqueid ${letter.uniqueid}` : `id ${letter.id}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [letter]);
    else group.push(letter);
  }
  const transactions: Letter[][] = [];
  for (const group of groups.values()) {
    const last = transactions.at(-1);
    if (last !== undefined && last.length < TRANSACTION) for (const letter of group) last.push(letter);
    else transactions.push(group);
  }
  return transactions;
}

/** The parts of a transaction whose messages are in memory at a time. */
export function partsOf<Letter extends Pick<LetterToTry, 'bytes'>>(letters: readonly Letter[]): Letter[][] {
  const parts: Letter[][] = [];
  let bytes = 0;
  for (const letter of letters) {
    const last = parts.at(-1);
    bytes += letter.bytes;
    if (last === undefined || last.length === PART || bytes > PART_BYTES) {
      parts.push([letter]);
      bytes = letter.bytes;
    } else last.push(letter);
  }
  return parts;
}
