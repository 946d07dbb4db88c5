import type { ParameterName } from './contract.ts';
import { type ChangeName, changeNames } from './correction-contract.ts';

/** The parameter of the call that a correction changes; only its customer is called otherwise. */
const PARAMETERS = {
  customer: 'scustomer',
  cost: 'cost',
  currency: 'currency',
  messages: 'messages',
  taxes: 'taxes',
  time: 'time',
} as const satisfies Record<ChangeName, ParameterName>;

const CHANGES: ReadonlyMap<string, ChangeName> = new Map(changeNames.map((name) => [PARAMETERS[name], name]));

export function parameterOf(name: ChangeName): (typeof PARAMETERS)[ChangeName] {
  return PARAMETERS[name];
}

/** The change that sets a parameter of a call; undefined for one that no correction changes. */
export function changeOf(parameter: string): ChangeName | undefined {
  return CHANGES.get(parameter);
}
