import type { Logger } from './logger.ts';

/** Kinds in a second that have lines of their own. More of them would let any sender fill a disk. */
const KINDS = 20;
const SECOND_MS = 1000;

/** One line of many. */
export interface Sample {
  /** What it has in common with others: a line says how many of them there were. */
  kind: object;
  /** The rest of the line. Called only where it is written. */
  fields?: () => object;
  /** How many messages it is about, where that is not one. */
  messages?: number;
}

interface Unwritten {
  kind: object;
  count: number;
  messages: number;
}

/**
 * Log lines that strangers can cause at the rate of messages. Each second the first of each kind is written in full, and at
 * its end a line for each kind that had more of them, with their `count`. At level debug all are written in full.
 */
export class SampledLines {
  readonly #log: Logger;
  readonly #level: 'info' | 'warn' | 'error';
  readonly #message: string;
  readonly #kinds = new Map<string, Unwritten>();
  readonly #others: Unwritten = { kind: { kind: 'others' }, count: 0, messages: 0 };
  #second: NodeJS.Timeout | undefined;

  constructor(log: Logger, level: 'info' | 'warn' | 'error', message: string) {
    this.#log = log;
    this.#level = level;
    this.#message = message;
  }

  write(sample: Sample): void {
    const { kind, messages = 0 } = sample;
    if (this.#log.isLevelEnabled('debug')) {
      this.#writeInFull(sample);
      return;
    }
    this.#second ??= setTimeout(() => this.flush(), SECOND_MS).unref();
    const key = JSON.stringify(kind);
    const unwritten = this.#kinds.get(key) ?? (this.#kinds.size < KINDS ? undefined : this.#others);
    if (unwritten === undefined) {
      this.#kinds.set(key, { kind, count: 0, messages: 0 });
      this.#writeInFull(sample);
    } else {
      unwritten.count += 1;
      unwritten.messages += messages;
    }
  }

  /** Ends the running second. */
  flush(): void {
    clearTimeout(this.#second);
    this.#second = undefined;
    for (const { kind, count, messages } of [...this.#kinds.values(), this.#others]) {
      if (count > 0)
        this.#say({ ...kind, count, ...(messages > 0 && { messages }) }, `${this.#message}, more of them`);
    }
    this.#kinds.clear();
    this.#others.count = 0;
    this.#others.messages = 0;
  }

  #writeInFull({ kind, fields, messages = 0 }: Sample): void {
    this.#say({ ...kind, ...(messages > 0 && { messages }), ...fields?.() }, this.#message);
  }

  #say(fields: object, message: string): void {
    this.#log[this.#level](fields, message);
  }
}
