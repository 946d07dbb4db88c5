/**
 * A JSON number as its text. Where one is left among the parameters, it is a number that none of them can hold:
 * it is refused, and shown and kept as it was written.
 */
export class NumberToken {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}
