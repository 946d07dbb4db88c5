import { printable, printableLines, withReferences } from '../domain/printable.ts';

/** Markup. Only this file makes it, so that everything else is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template can hold. */
export type Part = Html | string | number | null | undefined | false | readonly Part[];

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * A template whose values are escaped, for text and quoted attributes alike. Characters that would hide or reorder the
 * text around them are shown as escapes. Null, undefined and false render as nothing.
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

/** The value of an input, so that the browser sends back exactly this text. */
export function fieldValue(text: string | undefined): Html {
  return new Html(withReferences(escapeMarkup(text ?? '')));
}

/** The same for the text of a `textarea`, which has line breaks and tabs. */
export function areaValue(text: string): Html {
  const parts = text.split(/([\n\t])/);
  return new Html(parts.map((part) => (/^[\n\t]$/.test(part) ? part : fieldValue(part).text)).join(''));
}

/** Text with line breaks, for `pre`. */
export function preformatted(text: string): Html {
  return new Html(escapeMarkup(printableLines(text)));
}
