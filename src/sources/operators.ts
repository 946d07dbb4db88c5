import { amount, type Places, plain, shifted } from '../domain/money.ts';
import { Failure, unexpected } from './failure.ts';
import { ctimeReader, isoReader, patternReader } from './patterns.ts';
import { decoded, planned, sipPart } from './phone.ts';
import type { OperatorsSpec } from './schema.ts';
import { epochReader, readGregorian, type TimeReader } from './times.ts';
import type { Zone } from './zones.ts';

/** One step from text to text. */
export type TextStep = (text: string) => string | Failure;

/**
 * The steps that a value goes through, always in this order: none, decode, sip, number, table, decimal. None throws: a
 * step that yields no text makes the value missing.
 *
 * @param label names the field in messages
 */
export function textSteps(spec: OperatorsSpec, label: string): TextStep[] {
  const { none, decode, sip, number, table, decimal } = spec;
  const steps: TextStep[] = [];
  if (none !== undefined) steps.push(withoutNone(new Set(none), label));
  if (decode !== undefined)
    steps.push((text) => decoded(text) || new Failure('missing', `${label} is empty`));
  if (sip !== undefined)
    steps.push((text) => sipPart(text, sip) || new Failure('missing', `${label} has no ${sip}`));
  if (number !== undefined) steps.push((text) => planned(text, number));
  if (table !== undefined) steps.push(tableStep(table, spec.else, label));
  if (decimal !== undefined) steps.push(decimalStep(decimal, label));
  return steps;
}

function withoutNone(none: ReadonlySet<string>, label: string): TextStep {
  const failure = new Failure('missing', `${label} says that there is none`);
  return (text) => (none.has(text) ? failure : text);
}

function tableStep(
  table: Readonly<Record<string, string>>,
  fallback: string | undefined,
  label: string,
): TextStep {
  const entries = new Map(Object.entries(table));
  return (text) =>
    entries.get(text) ??
    fallback ??
    new Failure('missing', `${label}: ${unexpected('a value that the table has', text)}`);
}

const PLAIN = { '.': /^[+-]?\d{1,60}(?:\.\d{1,60})?$/, ',': /^[+-]?\d{1,60}(?:,\d{1,60})?$/ } as const;

/** Digits in, digits out: an amount is never a binary number. */
function decimalStep(rules: { point: '.' | ','; shift: string; round?: Places | undefined }, label: string) {
  const powers = Number(rules.shift);
  return (text: string): string | Failure => {
    if (!PLAIN[rules.point].test(text))
      return new Failure('wrong', `${label}: ${unexpected(`an amount such as 12${rules.point}5`, text)}`);
    return plain(shifted(amount(text.replace(',', '.').replace('+', '')), powers, rules.round));
  };
}

/** Reads times as the file says they are written. */
export function timeReader(time: string, zone: Zone | undefined): TimeReader {
  if (time === 'iso') return isoReader(zone);
  if (time === 'ctime') return ctimeReader(zone);
  if (time === 'gregorian') return readGregorian;
  if (time === 's' || time === 'ms' || time === 'us' || time === 'ns') return epochReader(time);
  return patternReader(time, zone);
}
