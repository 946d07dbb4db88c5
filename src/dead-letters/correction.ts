import * as z from 'zod';
import { settableNames, takes } from '../domain/kept.ts';
import { jsonText } from '../domain/printable.ts';
import { shown } from '../domain/text.ts';
import { expectStorable, InvalidInput } from '../input.ts';

const correction = z.object({
  /** Values by parameter. */
  set: z.record(z.string(), z.string()),
  /** The new name by the old one. Each dead letter keeps its own value. */
  rename: z.record(z.string(), z.string()),
  /** Names that are taken out. */
  unset: z.array(z.string()),
  /** The text in place of the body; missing if that stays as it is. */
  body: z.string().exactOptional(),
});

/** What an operator wants changed in dead letters, the same in each, before they are replayed. */
export type Correction = Readonly<z.infer<typeof correction>>;

export const NO_CORRECTION: Correction = { set: {}, rename: {}, unset: [] };

/** A correction as it is on record with a replay. */
export function correctionOnRecord(value: unknown): Correction {
  return correction.parse({ ...NO_CORRECTION, ...z.looseObject({}).parse(value) });
}

export function correctsNothing({ set, rename, unset, body }: Correction): boolean {
  const isNamed = Object.keys(set).length + Object.keys(rename).length + unset.length > 0;
  return !isNamed && body === undefined;
}

/** A correction as it was typed; what is missing corrects nothing. */
export interface CorrectionText {
  /** `name=value` */
  set?: readonly string[];
  /** `old=new` */
  rename?: readonly string[];
  unset?: readonly string[];
  body?: string | undefined;
}

/** Throws InvalidInput for a name that cannot be corrected, a value that is not valid for it, or a name that occurs twice. */
export function readCorrection(text: CorrectionText): Correction {
  const set = (text.set ?? []).map(readSet);
  const rename = (text.rename ?? []).map(readRename);
  const unset = (text.unset ?? []).map((name) => expectFree('unset', name));
  const given = set.map(([name]): Named => ['set', name]);
  const before = rename.map(([from]): Named => ['rename', from]);
  const after = rename.map(([, to]): Named => ['rename', to]);
  // A name may be taken out and then be the new name of another value; nothing else may happen to it twice.
  expectOnce([...given, ...before, ...unset.map((name): Named => ['unset', name])]);
  expectOnce([...given, ...after]);
  if (text.body !== undefined) expectStorable('body', text.body);
  return {
    set: Object.fromEntries(set),
    rename: Object.fromEntries(rename),
    unset,
    ...(text.body !== undefined && { body: text.body }),
  };
}

function readSet(pair: string): [name: string, value: string] {
  const cut = pair.indexOf('=');
  const name = cut < 0 ? pair : pair.slice(0, cut);
  if (cut < 0 || !settableNames.includes(name))
    throw new InvalidInput(`set: expected name=value with a parameter of the call, got ${jsonText(name)}`);
  const value = pair.slice(cut + 1);
  expectStorable(`set: ${name}`, value);
  if (!takes(name, value)) throw new InvalidInput(`set: ${shown(value)} is not valid for ${name}`);
  return [name, value];
}

function readRename(pair: string): [from: string, to: string] {
  // The new name has no = in it; a misspelt one may.
  const cut = pair.lastIndexOf('=');
  const [from, to] = [pair.slice(0, Math.max(cut, 0)), pair.slice(cut + 1)];
  if (cut < 1 || from === to || !settableNames.includes(to))
    throw new InvalidInput(
      `rename: expected old=new, where new is a parameter of the call, such as cots=cost, got ${jsonText(pair)}`,
    );
  // No record keeps this key.
  if (from === '__proto__')
    throw new InvalidInput(`rename: __proto__ cannot be renamed: set ${to}, and take __proto__ out`);
  return [expectFree('rename', from), to];
}

/** Throws InvalidInput for a name that must not be renamed or taken out. */
function expectFree(option: 'rename' | 'unset', name: string): string {
  expectStorable(option, name);
  if (name === '') throw new InvalidInput(`${option}: expected the name of a parameter`);
  if (name === 'auth_username' || name === 'auth_password')
    throw new InvalidInput(`${option}: ${name} is never kept, so a replay has none`);
  if (name === 'validation')
    throw new InvalidInput(`${option}: validation is never replayed: a replay is a call, not a question`);
  if (name === 'uniqueid')
    throw new InvalidInput(`${option}: a call needs its uniqueid, which keeps it from being charged twice`);
  return name;
}

type Named = readonly [option: string, name: string];

function expectOnce(names: readonly Named[]): void {
  const seen = new Set<string>();
  for (const [option, name] of names) {
    if (seen.has(name)) throw new InvalidInput(`${option}: ${shown(name)} is corrected twice at once`);
    seen.add(name);
  }
}

/** What moves money or tells one call from another is corrected only with a reason on record. */
const NEED_WHY: ReadonlySet<string> = new Set([
  'uniqueid',
  'scustomer',
  'customer',
  'cost',
  'currency',
  'taxes',
  'invoice',
  'update_balance',
  'update_invoices',
]);

/** What in a correction needs a reason: parameters, and `body`. Empty if nothing does. */
export function whyNeeded({ set, rename, unset, body }: Correction): string[] {
  const named = [...Object.keys(set), ...Object.entries(rename).flat(), ...unset];
  const needing = [...new Set(named)].filter((name) => NEED_WHY.has(name));
  return body === undefined ? needing : [...needing, 'body'];
}
