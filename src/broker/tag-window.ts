/** So many places in front may be empty before the rest is moved up. */
const SLACK = 256;

/**
 * Values by tag, where tags ascend as a channel counts its messages: added at the end, taken mostly from the front.
 *
 * Not a Map. One that is filled and emptied all the time replaces its table again and again, and once a table is old,
 * V8 makes those that follow it old as well. With what they held they stay until the whole heap is marked, which takes
 * tens of milliseconds of CPU (docs/performance.md).
 */
export class TagWindow<Value> {
  /** Ascending from `#front` on; below it they are done with. */
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

  /** Takes out the value of a tag; undefined where there is none, or none any more. */
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
