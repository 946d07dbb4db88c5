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

/**
 * Both halves of a transaction that failed, to find the letters at fault; those of one uniqueid stay together as long as
 * there are others.
 */
export function halvesOf<Letter extends Pick<LetterToTry, 'uniqueid'>>(
  letters: readonly Letter[],
): [Letter[], Letter[]] {
  const middle = Math.floor(letters.length / 2);
  const isBetween = (at: number) =>
    !letters[at]?.uniqueid || letters[at]?.uniqueid !== letters[at - 1]?.uniqueid;
  const cuts = letters.map((_, at) => at).filter((at) => at > 0 && isBetween(at));
  const distance = (at: number) => Math.abs(at - middle);
  const cut = cuts.reduce((best, at) => (distance(at) < distance(best) ? at : best), cuts[0] ?? middle);
  return [letters.slice(0, cut), letters.slice(cut)];
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
