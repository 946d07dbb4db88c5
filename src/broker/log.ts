/** What the broker's rooms need of a logger; a pino logger is one. */
export interface BrokerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The same log for what comes and goes all the time: everything at level debug. */
export function quietLog(log: BrokerLog): BrokerLog {
  const say: BrokerLog['debug'] = (fields, message) => log.debug(fields, message);
  return { debug: say, info: say, warn: say, error: say };
}

/** The text of anything thrown; never empty, because a refused dual-stack connect has an empty message. */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(describeError).join('; ');
  }
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return String(error);
}

/** Says a problem once for as long as it stays the same: an outage of an hour is one line, not a thousand. */
export interface ProblemLog {
  say(fields: object, problem: string): void;
  /** The problem is over: if it comes again, it is news. */
  over(): void;
}

export function createProblemLog(log: BrokerLog): ProblemLog {
  let last = '';
  return {
    say(fields, problem) {
      if (problem === last) log.debug(fields, problem);
      else log.warn(fields, problem);
      last = problem;
    },
    over() {
      last = '';
    },
  };
}
