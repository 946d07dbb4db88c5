import { DIGITS_MAX, isWritable, writeDigits } from './digits.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BLANK = 0x20;
const ASCII_MAX = 0x7f;

/** JSON of plain ASCII texts, written piece by piece into the same bytes each time. */
export class PlainJson {
  readonly #bytes: Uint8Array;
  #length = 0;
  #isPlain = true;

  /** @param bytes that it may have */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  start(json: string): void {
    this.#length = 0;
    this.#isPlain = true;
    this.add(json);
  }

  /** Adds JSON, or the part of a text between its quotation marks. */
  add(json: string): void {
    this.#write(json, false);
  }

  addText(text: string): void {
    this.add('"');
    this.#write(text, true);
    this.add('"');
  }

  /** Adds a whole number that is not negative; of any other nothing plain is made. */
  addWhole(value: number): void {
    if (!isWritable(value) || this.#length + DIGITS_MAX > this.#bytes.length) this.#isPlain = false;
    if (this.#isPlain) this.#length = writeDigits(this.#bytes, this.#length, value);
  }

  /** All that was added, until it is started again; undefined where JSON would escape something, or it is too long. */
  end(json: string): Uint8Array | undefined {
    this.add(json);
    return this.#isPlain ? this.#bytes.subarray(0, this.#length) : undefined;
  }

  #write(text: string, isEscaped: boolean): void {
    let at = this.#length;
    if (at + text.length > this.#bytes.length) this.#isPlain = false;
    if (!this.#isPlain) return;
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      if (unit > ASCII_MAX || (isEscaped && (unit < BLANK || unit === QUOTE || unit === BACKSLASH))) {
        this.#isPlain = false;
        return;
      }
      this.#bytes[at] = unit;
      at += 1;
    }
    this.#length = at;
  }
}
