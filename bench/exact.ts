import { reconcile } from '../src/store/reconcile.ts';
import { openBenchDatabase } from './bed.ts';
import type { Workload } from './workload.ts';

/** Throws unless the database holds exactly what the workload must lead to, row by row and cent by cent. */
export async function assertExact(url: string, expected: Workload): Promise<void> {
  const database = openBenchDatabase(url);
  const { prisma } = database;
  try {
    const { proofs, uninvoiced } = await reconcile(database);
    const drift = proofs
      .filter((proof) => proof.drift > 0)
      .map(({ claim, drift }) => `${claim}: ${drift} wrong`);
    // Every customer starts with a balance of zero.
    const [money] = await prisma.$queryRawUnsafe<{ wrong: number; calls: number }[]>(
      'select count(*) filter (where balance <> -charged)::int as wrong, sum(calls)::int as calls from customers',
    );
    const found = {
      calls: await prisma.cdr.count(),
      'calls charged': money?.calls ?? 0,
      'dead letters': await prisma.deadLetter.count(),
      'balances that are not what was charged': money?.wrong ?? -1,
      'calls without an invoice': uninvoiced.reduce((sum, row) => sum + row.calls, 0),
    };
    const wanted: typeof found = {
      calls: expected.accepted,
      'calls charged': expected.accepted,
      'dead letters': expected.refused,
      'balances that are not what was charged': 0,
      'calls without an invoice': 0,
    };
    const differs = Object.entries(wanted).flatMap(([what, count]) => {
      const is = found[what as keyof typeof found];
      return is === count ? [] : [`${what}: expected ${count}, found ${is}`];
    });
    const problems = [...drift, ...differs];
    if (problems.length > 0) throw new Error(`not exact: ${problems.join('; ')}`);
  } finally {
    await database.close(10_000);
  }
}
