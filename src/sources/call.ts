import { fingerprint, toCdr } from '../domain/cdr.ts';
import type { Call } from '../domain/decide.ts';
import type { Lookup } from '../domain/lookup.ts';
import type { ParameterError } from '../domain/validate.ts';
import { validateMapped } from './check.ts';
import type { Feed } from './feed.ts';
import type { MappedCall } from './map.ts';

/** The call that a mapped record is, its lookups still to be found, or what the contract refuses of it. */
export type RecordCall =
  | { kind: 'valid'; call: Call; cleaned: number }
  | { kind: 'invalid'; errors: readonly ParameterError[] };

export function callOf(feed: Feed, mapped: MappedCall, systemCurrency: string): RecordCall {
  const validation = validateMapped(mapped);
  if (validation.kind === 'invalid') return validation;
  const cdr = toCdr(validation.call, systemCurrency);
  const ofFeed = { source: feed.name, lookups: allLookups(mapped) };
  const call = {
    cdr,
    fingerprint: fingerprint(cdr, ofFeed),
    validationOnly: false,
    submittedBy: feed.spec.as,
    feed: ofFeed,
  };
  return { kind: 'valid', call, cleaned: validation.cleaned };
}

/** Where nothing says who was called, it is the customer who calls (source contract), by whatever key. */
function allLookups({ fields, lookups }: MappedCall): Lookup[] {
  const isNamed =
    fields.dcustomer !== undefined || lookups.some(({ parameter }) => parameter === 'dcustomer');
  if (isNamed) return lookups;
  for (const each of lookups)
    if (each.parameter === 'scustomer') return [...lookups, { ...each, parameter: 'dcustomer' }];
  return lookups;
}
