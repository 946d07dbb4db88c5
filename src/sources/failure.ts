import { maskCallText } from '../domain/masking.ts';
import { shown } from '../domain/text.ts';

/**
 * Why a value cannot be had. `missing`: the field is absent, empty or one of its `none` values, or a table has no
 * entry for it; `first` then goes on to its next choice. `wrong`: there is a value that cannot be read; nothing goes on.
 */
export class Failure {
  readonly kind: 'missing' | 'wrong';
  readonly message: string;

  constructor(kind: 'missing' | 'wrong', message: string) {
    this.kind = kind;
    this.message = message;
  }
}

/** Something that could not be read, in words: expected …, got …. The value is shortened, passwords are masked. */
export function unexpected(expected: string, text: string): string {
  return `expected ${expected}, got ${shown(maskCallText(text))}`;
}
