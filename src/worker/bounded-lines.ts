/** Lines in a second that are written in full. More of them would let any sender fill a disk. */
const PER_SECOND = 20;
const SECOND_MS = 1000;

/** Where lines about single messages go. */
export interface LineTarget {
  line: (fields: object) => void;
  /** So many more in the last second, by code. */
  more: (count: number, codes: string) => void;
}

/** Log lines that any sender can cause: some each second in full, and one that counts the rest. */
export class BoundedLines {
  readonly #target: LineTarget;
  readonly #more = new Map<string, number>();
  #written = 0;
  #second: NodeJS.Timeout | undefined;

  constructor(target: LineTarget) {
    this.#target = target;
  }

  /** @param fields is called only where the line is written in full */
  write(code: string, fields: () => object): void {
    if (this.#second === undefined) this.#second = setTimeout(() => this.flush(), SECOND_MS).unref();
    if (this.#written >= PER_SECOND) {
      this.#more.set(code, (this.#more.get(code) ?? 0) + 1);
      return;
    }
    this.#written += 1;
    this.#target.line(fields());
  }

  /** Ends the running second. */
  flush(): void {
    clearTimeout(this.#second);
    this.#second = undefined;
    this.#written = 0;
    if (this.#more.size === 0) return;
    const counts = [...this.#more].sort(([one], [other]) => (one < other ? -1 : 1));
    this.#more.clear();
    const count = counts.reduce((sum, [, each]) => sum + each, 0);
    this.#target.more(count, counts.map(([code, each]) => `${code} ×${each}`).join(', '));
  }
}
