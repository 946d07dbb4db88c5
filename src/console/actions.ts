import { type Correction, readCorrection } from '../dead-letters/correction.ts';
import { expectStorable } from '../dead-letters/input.ts';

export function correctionIn(form: URLSearchParams): Correction {
  const name = form.get('name');
  return readCorrection(name ? { set: [`${name}=${form.get('value') ?? ''}`] } : {});
}

export function whyIn(form: URLSearchParams): string | null {
  const why = form.get('why')?.trim() || null;
  if (why !== null) expectStorable('why', why);
  return why;
}
