import { entryIdOfLetter } from '../domain/correction.ts';
import { editableIn } from '../domain/kept.ts';
import type { DeadLetterDetail } from '../store/dead-letters/history.ts';

/**
 * What can be done with a correction that was refused, a line each.
 *
 * @param replay the command that replays it, with these options
 */
export function correctionSteps(
  {
    id,
    operation,
    responses,
    uniqueid,
  }: Pick<DeadLetterDetail, 'id' | 'operation' | 'responses' | 'uniqueid'>,
  replay: (options?: string) => string,
): string[] {
  const steps = responses.flatMap(({ code, key }) => {
    if (code === '404') return [`No call ${uniqueid ?? ''} is stored. When it has come: ${replay()}`];
    if (key === 'uniqueid')
      return [
        `Look at what is in force: call show ${uniqueid ?? 'UNIQUEID'}. To correct that after all: ${replay()}`,
      ];
    if (key === 'message_id')
      return [
        `Where it has no fit message_id, a replay books it as ${entryIdOfLetter(String(id))}: ${replay()}`,
        'Where another entry has its message_id, its sender has to send it again with one of its own.',
      ];
    if (editableIn[operation].includes(key))
      return [`Correct ${key}: ${replay(`--set ${key}=VALUE --why "…"`)}`];
    return [`Take out what cdrs/${operation} does not have: ${replay('--unset NAME')}`];
  });
  return [...new Set(steps)];
}
