import { changeOf, parameterOf } from '../domain/changeable.ts';
import { parameterRow, parameters } from '../domain/contract.ts';
import { type ChangeName, changeNames } from '../domain/correction-contract.ts';
import { jsonText } from '../domain/printable.ts';
import { shown } from '../domain/text.ts';
import { expectStorable, InvalidInput } from '../input.ts';

/** New values by their names in the message, as they are sent; what is missing stays as it is. */
export type CallChange = Readonly<Partial<Record<ChangeName, string>>>;

/** `name=value`, each once. Throws InvalidInput. */
export function readChange(pairs: readonly string[]): CallChange {
  const change: Partial<Record<ChangeName, string>> = {};
  for (const pair of pairs) {
    const cut = pair.indexOf('=');
    const typed = cut < 0 ? pair : pair.slice(0, cut);
    const name = cut < 0 ? undefined : (changeOf(typed) ?? changeNames.find((each) => each === typed));
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
  const parameter = parameterOf(name);
  expectStorable(`set: ${name}`, text);
  // Empty is the default elsewhere. Here only no taxes at all can be meant by it.
  const isGiven = text !== '' || name === 'taxes';
  if (isGiven && parameters.shape[parameter].safeParse(text).success) return text;
  throw new InvalidInput(
    `set: expected ${parameterRow(parameter)?.expected ?? 'a value'} for ${name}, got ${shown(text)}`,
  );
}
