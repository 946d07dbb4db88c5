/**
 * The life of a replay, or of a dry run that one may be made of.
 *
 * - `trying`: a dry run is under way.
 * - `tried`: the dry run is complete; exactly what it tried may be replayed.
 * - `running`: letters are being sent. One whose process is silent was interrupted, and may be resumed.
 * - `stopped`: by somebody, or because too many were refused; may be resumed.
 * - `done`: every letter is finished or left out.
 * - `failed`: the dry run or the replay ended with an error; a replay may be resumed.
 */
export const replayStates = ['trying', 'tried', 'running', 'stopped', 'done', 'failed'] as const;
export type ReplayState = (typeof replayStates)[number];
