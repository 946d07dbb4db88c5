import { vi } from 'vitest';
import { exitCodeOf } from '../../src/commands/exit.ts';
import { createProgram } from '../../src/commands/program.ts';

/**
 * Runs `cdr-ingest …` within the test's own process: a tenth of what a process of its own costs, for tests that are not about
 * processes.
 */
export async function runInProcess(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk, ...rest) => {
      output[stream] += String(chunk);
      for (const done of rest) if (typeof done === 'function') done();
      return true;
    }),
  );
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  try {
    const program = await createProgram('0', args[0]);
    await program.parseAsync(args, { from: 'user' });
    return { code: Number(process.exitCode ?? 0), ...output };
  } catch (error) {
    return { code: exitCodeOf(error), ...output, stderr: `${output.stderr}${String(error)}` };
  } finally {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}
