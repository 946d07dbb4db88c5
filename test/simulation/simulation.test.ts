import { expect, it } from 'vitest';
import { everyFault } from './faults.ts';
import { mutants } from './mutants.ts';
import { type Mutant, type Run, simulate } from './world.ts';

/** More with SIM_SEEDS; one of them, with everything that happens in it, with SIM_SEED. */
const SEEDS = Number(process.env.SIM_SEEDS ?? 2000);
const ONE_SEED = process.env.SIM_SEED;
/** Seeds in which a mutant must have been noticed. The rarest shows in one of 125. */
const MUTANT_SEEDS = 500;
const HOUR_MS = 3_600_000;

function report(seed: number, { violations }: Run): string {
  const again = `SIM_SEED=${seed} npx vitest run test/simulation`;
  return `seed ${seed} (again, with its trace: ${again}):\n${violations.slice(0, 10).join('\n')}`;
}

async function firstViolation(seeds: number, mutant?: Mutant): Promise<string | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = await simulate(seed, mutant);
    if (run.violations.length > 0) return report(seed, run);
  }
  return null;
}

it.runIf(ONE_SEED !== undefined)('this seed loses nothing and does nothing twice', async () => {
  const run = await simulate(Number(ONE_SEED));
  process.stdout.write(`${run.trace.join('\n')}\n`);
  expect(run.violations, report(Number(ONE_SEED), run)).toEqual([]);
});

it(
  'loses nothing and does nothing twice, whatever crashes or fails at any step',
  async () => {
    expect(await firstViolation(SEEDS)).toBeNull();
  },
  HOUR_MS,
);

it('happens in exactly the same way again with the same seed', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const run = await simulate(seed);
    expect(await simulate(seed)).toEqual(run);
  }
});

it('meets every kind of fault', async () => {
  const met = new Set<string>();
  for (let seed = 1; seed <= 100; seed += 1) {
    for (const fault of (await simulate(seed)).faults.keys()) met.add(fault);
  }
  expect(met).toEqual(new Set(everyFault));
});

it.each(Object.entries(mutants))('notices a worker that %s', async (_, mutant) => {
  expect(await firstViolation(MUTANT_SEEDS, mutant)).not.toBeNull();
});
