import { type ParameterName, parameterRow, parameters } from '../domain/contract.ts';
import { jsonText } from '../domain/printable.ts';
import { shown } from '../domain/text.ts';
import { expectStorable, InvalidInput } from '../input.ts';

/** What a correction can change of a stored call: its name in the message, and the parameter of the call. */
const CHANGEABLE = {
  customer: 'scustomer',
  cost: 'cost',
  currency: 'currency',
  taxes: 'taxes',
  messages: 'messages',
  time: 'time',
} as const satisfies Record<string, ParameterName>;

export type ChangeName = keyof typeof CHANGEABLE;
export const changeNames = Object.keys(CHANGEABLE) as ChangeName[];

/** New values by their names in the message, as they are sent; what is missing stays as it is. */
export type CallChange = Readonly<Partial<Record<ChangeName, string>>>;

/** By which names they can be set: a call calls its customer `scustomer`. */
const BY_NAME: ReadonlyMap<string, ChangeName> = new Map([
  ...changeNames.map((name): [string, ChangeName] => [name, name]),
  ...changeNames.map((name): [string, ChangeName] => [CHANGEABLE[name], name]),
]);

/** The change that sets a parameter of a call; undefined for one that no correction changes. */
export function changeNameOf(parameter: string): ChangeName | undefined {
  return BY_NAME.get(parameter);
}

/** What a call calls it. */
export function parameterOf(name: ChangeName): (typeof CHANGEABLE)[ChangeName] {
  return CHANGEABLE[name];
}

/** `name=value`, each once. Throws InvalidInput. */
export function readChange(pairs: readonly string[]): CallChange {
  const change: Partial<Record<ChangeName, string>> = {};
  for (const pair of pairs) {
    const cut = pair.indexOf('=');
    const typed = cut < 0 ? pair : pair.slice(0, cut);
    const name = cut < 0 ? undefined : changeNameOf(typed);
    if (name === undefined)
      throw new InvalidInput(
        `set: expected name=value with ${changeNames.join(', ')}, got ${jsonText(typed)}`,
      );
    if (change[name] !== undefined) throw new InvalidInput(`set: ${name} is set twice`);
    change[name] = readValue(name, pair.slice(cut + 1));
  }
  return change;
}

/** One new value. Throws InvalidInput for one that the parameter does not take. */
export function readValue(name: ChangeName, text: string): string {
  const parameter = CHANGEABLE[name];
  expectStorable(`set: ${name}`, text);
  // Empty is the default elsewhere. Here only no taxes at all can be meant by it.
  const isGiven = text !== '' || name === 'taxes';
  if (isGiven && parameters.shape[parameter].safeParse(text).success) return text;
  throw new InvalidInput(
    `set: expected ${parameterRow(parameter)?.expected ?? 'a value'} for ${name}, got ${shown(text)}`,
  );
}
