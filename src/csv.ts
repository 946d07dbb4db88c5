import { printable, printableLines } from './domain/printable.ts';

/** What a cell holds: a number or a time that spreadsheets may read as one, or text that must stay as it is. */
export type CellKind = 'value' | 'text';

/** Of UTF-8: without it, spreadsheets take a file for the code page of their machine. */
export const BYTE_ORDER_MARK = '\ufeff';

/** A spreadsheet takes text that begins like this for a formula, and callers choose texts. */
const FORMULA = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/;
/** In half of the world a spreadsheet separates cells at semicolons, in quotes or not. */
const FORMULA_AFTER_SEMICOLON = /(;[\s"]*)(?=[=+@-])/g;

const MONTH = '(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]*\\.?';
/** Text that a spreadsheet would turn into another: a number, a date, a time, a share or a truth value. */
const CHANGED = new RegExp(
  [
    '-?0\\d+(?:[.,]\\d*)?',
    '-?\\d+[.,]\\d*0',
    '-?\\d{1,3}[.,]\\d+',
    '-?\\d{16,}',
    '-?[\\d.,]{16,}',
    '-?\\d+(?:[.,]\\d+)?e[+-]?\\d+',
    '\\d{1,4}([-/.])\\d{1,2}(?:\\1\\d{1,4})?',
    '\\d{1,4}:\\d{1,2}(?::\\d{1,2})?(?: ?[ap]m)?',
    `\\d{1,4}[-/. ]?${MONTH}(?:[-/. ]?\\d{1,4})?`,
    `${MONTH}[-/. ]?\\d{1,4}`,
    '-?[\\d.,]+ ?%',
    '[$€£¥] ?[\\d.,]+|[\\d.,]+ ?[$€£¥]',
    'true|false|wahr|falsch',
  ]
    .map((form) => `^(?:${form})$`)
    .join('|'),
  'iu',
);

/** A row of CSV as RFC 4180 has it. */
export function csvRow(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\r\n`;
}

function quoted(cell: string): string {
  return /[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** A cell for programs, that no spreadsheet runs as a formula either. */
export function harmlessCell(text: string): string {
  return withoutFormula(text, printableLines);
}

/** A cell for spreadsheets: on one line, and text is to the character what it was when the file is opened. */
export function spreadsheetCell(text: string, kind: CellKind): string {
  return kind === 'text' && CHANGED.test(text) ? `'${text}` : withoutFormula(text, printable);
}

function withoutFormula(text: string, print: (text: string) => string): string {
  return print(FORMULA.test(text) ? `'${text}` : text).replace(FORMULA_AFTER_SEMICOLON, "$1'");
}
