import { printable, printableLines, withReferences } from '../domain/printable.ts';

/** Text that is markup already. Made by `html` alone, so that everything else is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * A template whose values are escaped, in text and in quoted attributes alike, and cleaned of what would hide or turn
 * round what stands beside it; null and false leave nothing.
 */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  return new Html(
    strings.map((text, index) => `${index === 0 ? '' : markup(values[index - 1])}${text}`).join(''),
  );
}

function markup(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(markup).join('');
  if (part === null || part === undefined || part === false) return '';
  return escapeMarkup(printable(String(part)));
}

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/** The value of a field that must come back as it is, whatever stands in it. */
export function fieldValue(text: string | undefined): Html {
  return new Html(withReferences(escapeMarkup(text ?? '')));
}

/** Text of several lines, for `pre`. */
export function lines(text: string): Html {
  return new Html(escapeMarkup(printableLines(text)));
}
