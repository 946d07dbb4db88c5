/** Logger interface of the broker modules; a pino logger has it. */
export interface BrokerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Writes everything at level debug: for connections that come and go all the time. */
export function quietLog(log: BrokerLog): BrokerLog {
  const debug: BrokerLog['debug'] = (fields, message) => log.debug(fields, message);
  return { debug, info: debug, warn: debug, error: debug };
}

/**
 * The message of anything thrown; never empty, though the error of a refused dual-stack connect has an empty
 * one.
 */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(describeError).join('; ');
  }
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return String(error);
}

/** Warns of a problem once while it stays the same: an outage of an hour is one line, not a thousand. */
export interface ProblemLog {
  report(fields: object, problem: string): void;
  /** The problem is over: warn again if it returns. */
  over(): void;
}

export function createProblemLog(log: BrokerLog): ProblemLog {
  let last = '';
  return {
    report(fields, problem) {
      if (problem === last) log.debug(fields, problem);
      else log.warn(fields, problem);
      last = problem;
    },
    over() {
      last = '';
    },
  };
}
