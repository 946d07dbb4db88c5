import { CutOffError, RECORD_MAX, type RecordText, type Splitter } from './splitter.ts';

/**
 * The JSON records of a file, digit by digit as they stand there: one a line, over several lines one after another, or
 * in an array. A line that begins with { begins a record: what was open before it is broken, and only that is lost.
 */
export function jsonSplitter(): Splitter {
  const documents = new Documents();
  let number = 0;
  let isLineBegun = false;
  return {
    take: (text, isEnd = true) => {
      if (!isLineBegun) number += 1;
      const broken = !isLineBegun && text.startsWith('{') ? documents.end() : [];
      isLineBegun = !isEnd;
      return [...broken, ...documents.take(text, number, isEnd)];
    },
    end: () => {
      const rest = documents.end();
      // What is left of a record is refused; where nothing is, nobody would notice that records are missing.
      if (rest.length === 0 && documents.isInArray)
        throw new CutOffError(`line ${number}: expected ] behind the last record, got the end of the file`);
      return rest;
    },
  };
}

const STRING_END = /["\\]/g;
const STRUCTURE = /["{}[\]]/g;
/** Blanks and commas may stand between records. */
const RECORD_START = /[^\s,]/g;

/** Finds where objects begin and end by their brackets. What is none comes out as a record too, to be refused. */
class Documents {
  isInArray = false;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #parts: string[] = [];
  #length = 0;
  #begun = 0;

  take(line: string, number: number, isEnd: boolean): RecordText[] {
    const records: RecordText[] = [];
    let from = 0;
    for (let at = this.#next(line, 0); at < line.length; at = this.#next(line, at + 1)) {
      const char = line[at] ?? '';
      if (this.#length === 0) {
        if (this.#isBracketOfArray(char)) continue;
        from = at;
        this.#begun = number;
        this.#length = 1;
      }
      if (this.#step(char)) {
        records.push(this.#finish(line.slice(from, at + 1)));
        from = at + 1;
      }
    }
    if (this.#length > 0) this.#keep(`${line.slice(from)}${isEnd ? '\n' : ''}`);
    // What stands outside of any object is not worth waiting for, nor is what never ends.
    const isUseless = (isEnd && this.#isOutside()) || this.#length > RECORD_MAX;
    if (this.#length > 0 && isUseless) records.push(...this.end());
    return records;
  }

  end(): RecordText[] {
    if (this.#length === 0) return [];
    this.#depth = 0;
    this.#isInString = false;
    this.#isEscaped = false;
    return [this.#finish('')];
  }

  #isOutside(): boolean {
    return this.#depth === 0 && !this.#isInString;
  }

  /** Where the next character stands that means anything here: in files of any size most do not. */
  #next(line: string, from: number): number {
    if (this.#isEscaped) return from;
    const meaning = this.#isInString ? STRING_END : this.#length === 0 ? RECORD_START : STRUCTURE;
    meaning.lastIndex = from;
    return meaning.exec(line)?.index ?? line.length;
  }

  /** The brackets of an array around the records. */
  #isBracketOfArray(char: string): boolean {
    if (char !== (this.isInArray ? ']' : '[')) return false;
    this.isInArray = !this.isInArray;
    return true;
  }

  /** Takes one character; true where it ends a record. */
  #step(char: string): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (char === '\\') this.#isEscaped = true;
      else if (char === '"') this.#isInString = false;
      return false;
    }
    if (char === '"') this.#isInString = true;
    else if (char === '{' || char === '[') this.#depth += 1;
    else if (char === '}' || char === ']') {
      this.#depth = Math.max(this.#depth - 1, 0);
      return this.#depth === 0;
    }
    return false;
  }

  #keep(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  #finish(part: string): RecordText {
    const text = [...this.#parts, part].join('').trimEnd();
    this.#parts = [];
    this.#length = 0;
    return { line: this.#begun, text };
  }
}
