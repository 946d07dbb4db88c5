/** How many places at the front may be empty before the rest is moved up. */
const SLACK = 256;

/**
 * Values by delivery tag. A channel counts tags upwards, so values are added at the end and taken mostly from the front.
 *
 * Why not a Map: one that is filled and emptied all the time replaces its table again and again. Once a table has been moved to
 * V8's old generation, its successors are promoted as well, and everything they refer to stays until the whole heap is marked.
 * With a Map in both places that use this class, the part `worker` of the benchmark drains 5 to 7 % fewer messages a second
 * (bench/NOTES.md).
 */
export class TagWindow<Value> {
  /** Ascending from `#front` on; those before it are done. */
  readonly #tags: number[] = [];
  readonly #values: (Value | undefined)[] = [];
  #front = 0;

  get size(): number {
    return this.#tags.length - this.#front;
  }

  /** The lowest tag in the window; undefined when it is empty. */
  get oldest(): number | undefined {
    return this.#tags[this.#front];
  }

  /** Adds the value of a tag above all that were added before. */
  add(tag: number, value: Value): void {
    this.#tags.push(tag);
    this.#values.push(value);
  }

  get(tag: number): Value | undefined {
    const index = this.#indexOf(tag);
    return this.#tags[index] === tag ? this.#values[index] : undefined;
  }

  /** Takes out the value of a tag; undefined if it is not in the window. */
  take(tag: number): Value | undefined {
    const index = this.#indexOf(tag);
    if (this.#tags[index] !== tag) return undefined;
    const value = this.#values[index];
    if (index === this.#front) this.#dropFront();
    else {
      this.#tags.splice(index, 1);
      this.#values.splice(index, 1);
    }
    return value;
  }

  /** From the lowest tag on. */
  *values(): IterableIterator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  #dropFront(): void {
    this.#values[this.#front] = undefined;
    this.#front += 1;
    if (this.#front < SLACK && this.size > 0) return;
    this.#tags.splice(0, this.#front);
    this.#values.splice(0, this.#front);
    this.#front = 0;
  }

  /** Where the tag stands or would stand. */
  #indexOf(tag: number): number {
    let low = this.#front;
    if (this.#tags[low] === tag) return low;
    let high = this.#tags.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#tags[middle] ?? tag) < tag) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
