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

  /**
   * Takes out those that were looked at and are finished. Unless these were most of them, the others go last: what workers hold
   * back must not hide what they have finished.
   */
  finish(looked: readonly SentAttempt[], unfinished: ReadonlySet<string>): void {
    const goLast = unfinished.size * 2 > looked.length;
    for (const attempt of looked) {
      const isUnfinished = unfinished.has(attempt.id);
      if (!isUnfinished || goLast) this.#attempts.delete(attempt.id);
      if (isUnfinished && goLast) this.add(attempt);
    }
  }
}
