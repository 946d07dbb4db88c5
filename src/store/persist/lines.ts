import { DIGITS_MAX, isWritable, writeDigits } from '../../domain/digits.ts';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const ASCII_MAX = 0x7f;
/** Most bytes in UTF-8 for a unit of UTF-16. */
const BYTES_PER_UNIT = 3;
/** Room for a line of an ordinary call. */
const LINE_BYTES = 512;

/** A value of a line; null is written as ''. */
export type Value = string | number | null;

/**
 * Lines of values separated by tabs, in UTF-8. Nothing is escaped. They are written unit by unit, because a text of each line
 * and another of all of them would be three times as much garbage as the lines are long.
 */
export class Lines {
  #bytes: Buffer;
  #end = 0;

  /** @param lines how many there will be */
  constructor(lines: number) {
    this.#bytes = Buffer.allocUnsafe(lines * LINE_BYTES);
  }

  add(value: Value): void {
    if (typeof value === 'string') this.#addText(value);
    else if (value !== null && isWritable(value)) this.#addDigits(value);
    else this.#addText(value === null ? '' : String(value));
    this.#bytes[this.#end] = TAB;
    this.#end += 1;
  }

  /** Ends the line behind the values that were added. */
  endLine(): void {
    this.#bytes[this.#end - 1] = LINE_FEED;
  }

  /** All lines, without a line feed behind the last. */
  all(): Buffer {
    return this.#bytes.subarray(0, Math.max(0, this.#end - 1));
  }

  #addDigits(value: number): void {
    this.#makeRoom(DIGITS_MAX + 1);
    this.#end = writeDigits(this.#bytes, this.#end, value);
  }

  #addText(text: string): void {
    this.#makeRoom(text.length * BYTES_PER_UNIT + 1);
    let end = this.#end;
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      if (unit > ASCII_MAX) {
        this.#end += this.#bytes.write(text, this.#end);
        return;
      }
      this.#bytes[end] = unit;
      end += 1;
    }
    this.#end = end;
  }

  #makeRoom(length: number): void {
    if (this.#end + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#bytes.length + length));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
