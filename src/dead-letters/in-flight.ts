/** An attempt that was sent. */
export interface SentAttempt {
  /** Of the dead letter. */
  id: string;
  attempt: number;
}

/** Attempts that were sent and are not known to be finished, in the order in which they are looked at. */
export class InFlight {
  readonly #attempts = new Map<string, number>();

  get size(): number {
    return this.#attempts.size;
  }

  add({ id, attempt }: SentAttempt): void {
    this.#attempts.set(id, attempt);
  }

  /** Those to look at next: the longest in flight, because workers finish these first. */
  next(count: number): SentAttempt[] {
    const next: SentAttempt[] = [];
    for (const [id, attempt] of this.#attempts) {
      if (next.length === count) break;
      next.push({ id, attempt });
    }
    return next;
  }

  /** Takes out one that is finished. Returns its attempt. */
  finish(id: string): number | undefined {
    const attempt = this.#attempts.get(id);
    this.#attempts.delete(id);
    return attempt;
  }

  /**
   * To be called when the finished ones of those that were looked at are out. Unless these were most of them, the others go
   * last: what workers hold back must not hide what they have finished.
   */
  putBack(looked: readonly SentAttempt[]): void {
    const left = looked.filter(({ id }) => this.#attempts.has(id));
    if (left.length * 2 <= looked.length) return;
    for (const { id, attempt } of left) {
      this.#attempts.delete(id);
      this.#attempts.set(id, attempt);
    }
  }
}
