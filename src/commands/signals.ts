import { EXIT } from './exit.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Calls `stop` on the first SIGINT or SIGTERM; a second one ends the process at once. Returns a function that gives
 * the signals back their usual effect.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): () => void {
  const onFirst = (signal: NodeJS.Signals) => {
    for (const name of SIGNALS) process.removeListener(name, onFirst).on(name, quit);
    stop(signal);
  };
  for (const name of SIGNALS) process.on(name, onFirst);
  return () => {
    for (const name of SIGNALS) process.removeListener(name, onFirst).removeListener(name, quit);
  };
}

function quit(): void {
  process.exit(EXIT.failed);
}
