import { Failure } from './failure.ts';
import { jsonSplitter } from './json-lines.ts';
import { type CsvRules, OPEN_QUOTE, readCsv } from './rows.ts';
import type { FeedSpec } from './schema.ts';
import { RECORD_MAX, type RecordText, type Splitter } from './splitter.ts';

/** A file that is not what the source says: its header names other columns. */
export class HeaderError extends Error {}

const BOM = '\ufeff';

/** Splits files of a feed into records, leaving out the header, the trailer and empty lines. */
export function splitterOf(spec: FeedSpec): Splitter {
  switch (spec.format) {
    case 'json':
      return withoutBom(jsonSplitter());
    case 'form':
      return withoutBom(lineSplitter());
    case 'csv':
      return withoutBom(withoutHeader(withoutTrailer(csvSplitter(spec), spec.trailer), spec.header, spec));
    case 'positional':
      return withoutBom(withoutHeader(withoutTrailer(lineSplitter(), spec.trailer), spec.header, null));
  }
}

function withoutBom(splitter: Splitter): Splitter {
  let isFirst = true;
  return {
    take: (line, isEnd) => {
      const text = isFirst && line.startsWith(BOM) ? line.slice(1) : line;
      isFirst = false;
      return splitter.take(text, isEnd);
    },
    end: () => splitter.end(),
  };
}

/** One record a line. */
function lineSplitter(): Splitter {
  let number = 0;
  return {
    take: (line) => {
      number += 1;
      return line.trim() === '' ? [] : [{ line: number, text: line }];
    },
    end: () => [],
  };
}

/** A record ends with its line, outside quotes. */
function csvSplitter(rules: CsvRules): Splitter {
  let number = 0;
  let begun: RecordText | null = null;
  return {
    take: (line) => {
      number += 1;
      if (begun === null && line.trim() === '') return [];
      const isOpen: boolean = begun === null ? endsInQuotes(line, rules) : staysInQuotes(line, rules);
      const record: RecordText =
        begun === null ? { line: number, text: line } : { ...begun, text: `${begun.text}\n${line}` };
      begun = isOpen && record.text.length < RECORD_MAX ? record : null;
      return begun === null ? [record] : [];
    },
    end: () => (begun === null ? [] : [begun]),
  };
}

function endsInQuotes(text: string, rules: CsvRules): boolean {
  return readCsv(text, rules) === OPEN_QUOTE;
}

/** Whether a line that begins inside quotes ends there. Only this line is read: a record may have very many. */
function staysInQuotes(line: string, rules: CsvRules): boolean {
  const { quote } = rules;
  let at = line.indexOf(quote);
  while (at >= 0 && line[at + 1] === quote) at = line.indexOf(quote, at + 2);
  // What follows the closing quote is read as behind a quoted field that is empty.
  return at < 0 || endsInQuotes(quote + quote + line.slice(at + 1), rules);
}

type Header = (FeedSpec & { format: 'csv' })['header'];
type Trailer = (FeedSpec & { format: 'csv' })['trailer'];

/** @param rules those of CSV, whose header may name the columns */
function withoutHeader(splitter: Splitter, header: Header, rules: CsvRules | null): Splitter {
  if (header === undefined) return splitter;
  const isHeader = headerRule(header, rules);
  let number = 0;
  let isOver = false;
  return {
    take: (line) => {
      number += 1;
      isOver ||= !isHeader(line, number);
      // The line is still counted.
      return splitter.take(isOver ? line : '');
    },
    end: () => splitter.end(),
  };
}

function headerRule(
  header: NonNullable<Header>,
  rules: CsvRules | null,
): (line: string, number: number) => boolean {
  if (typeof header === 'object') return (line) => line.startsWith(header.starts);
  if (header !== 'columns') return (_, number) => number <= Number(header);
  return (line, number) => {
    if (number > 1) return false;
    if (rules !== null && !namesColumns(line, rules))
      throw new HeaderError(`line 1: expected the columns ${rules.columns.join(', ')}`);
    return true;
  };
}

function namesColumns(line: string, rules: CsvRules): boolean {
  const names = readCsv(line, rules);
  return (
    !(names instanceof Failure) &&
    rules.columns.every((column) => (names as Record<string, unknown>)[column] === column)
  );
}

/** Holds back what may be the trailer until more comes after it. */
function withoutTrailer(splitter: Splitter, trailer: Trailer): Splitter {
  if (trailer === undefined) return splitter;
  const held: RecordText[] = [];
  const pass = (record: RecordText): RecordText[] => {
    if (typeof trailer === 'object' && record.text.startsWith(trailer.starts)) {
      held.push(record);
      return [];
    }
    if (typeof trailer === 'object') return [...held.splice(0), record];
    held.push(record);
    return held.length > Number(trailer) ? held.splice(0, 1) : [];
  };
  return {
    take: (line) => splitter.take(line).flatMap(pass),
    end: () => splitter.end().flatMap(pass),
  };
}
