import { RECORD_MAX, type RecordText, type Splitter } from './splitter.ts';

/**
 * The JSON records of a file, digit by digit as they stand there: one a line, over several lines one after another, or
 * in an array. A line that begins with { begins a record: what was open before it is broken, and only that is lost.
 */
export function jsonSplitter(): Splitter {
  const documents = new Documents();
  let number = 0;
  return {
    take: (line) => {
      number += 1;
      const broken = line.startsWith('{') ? documents.end() : [];
      return [...broken, ...documents.take(line, number)];
    },
    end: () => documents.end(),
  };
}

/** Finds where objects begin and end by their brackets. What is none comes out as a record too, to be refused. */
class Documents {
  #depth = 0;
  #isInArray = false;
  #isInString = false;
  #isEscaped = false;
  #parts: string[] = [];
  #length = 0;
  #begun = 0;

  take(line: string, number: number): RecordText[] {
    const records: RecordText[] = [];
    let from = 0;
    for (let at = 0; at < line.length; at += 1) {
      const char = line[at] ?? '';
      if (this.#isOutside()) {
        if (this.#isBetween(char)) {
          from = at + 1;
          continue;
        }
        if (this.#length === 0) {
          from = at;
          this.#begun = number;
          this.#length = 1;
        }
      }
      if (this.#step(char)) {
        records.push(this.#finish(line.slice(from, at + 1)));
        from = at + 1;
      }
    }
    const rest = line.slice(from);
    if (this.#length > 0) this.#keep(`${rest}\n`);
    // What stands outside of any object is not worth waiting for, nor is what never ends.
    if (this.#length > 0 && (this.#isOutside() || this.#length > RECORD_MAX)) records.push(...this.end());
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

  /** What may stand between records, and the brackets of an array around them. */
  #isBetween(char: string): boolean {
    if (this.#length > 0) return false;
    if (char === '[' && !this.#isInArray) this.#isInArray = true;
    else if (char === ']' && this.#isInArray) this.#isInArray = false;
    else return /[\s,]/.test(char);
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
