// Waits for its owner to end and then removes the owner's servers. Usage: reaper.ts <run directory>
import { removeRun } from './run.ts';

const [runDir] = process.argv.slice(2);
if (runDir === undefined) throw new Error('usage: reaper.ts <run directory>');

process.stdin.resume();
process.stdin.once('end', () => {
  // An owner that removed its servers itself has removed the directory too, and there is nothing to do.
  removeRun(runDir).catch(() => process.exit(1));
});
