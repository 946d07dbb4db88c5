import type { PrometheusServer, Series } from '../../../dev/stack/prometheus.ts';

/** From when to when something was so, in seconds. */
export interface Span {
  fromS: number;
  toS: number;
}

export interface Rule {
  alert: string;
  expr: string;
  for?: string | undefined;
}

/** When a rule fired within a span of time, by namespace. */
export async function firings(
  rule: Rule,
  namespaces: readonly string[],
  prometheus: Pick<PrometheusServer, 'range'>,
  { fromS, toS, everyS }: Span & { everyS: number },
): Promise<Map<string, Span[]>> {
  const ask = (query: string) => prometheus.range(query, fromS, toS, everyS);
  // A rule that looks for the workers of one namespace is made to look for those of each.
  const own = /\bnamespace="[^"]*"/;
  const queries = own.test(rule.expr)
    ? namespaces.map((namespace) => rule.expr.replace(own, `namespace="${namespace}"`))
    : [rule.expr];
  const series = (await Promise.all(queries.map(ask))).flat();
  return new Map(
    namespaces.map((namespace) => {
      const mine = series.filter(({ metric }) => metric.namespace === namespace);
      return [namespace, mine.flatMap((each) => spansOf(each, secondsOf(rule.for), everyS))];
    }),
  );
}

const secondsOf = (pending: string | undefined) => Number(/^(\d+)m$/.exec(pending ?? '0m')?.[1]) * 60;

/** An alert fires once its query has given something at every evaluation for that long, until it gives nothing. */
function spansOf({ values }: Series, pendingS: number, everyS: number): Span[] {
  const runs: Span[] = [];
  for (const [atS] of values) {
    const run = runs.at(-1);
    if (run !== undefined && atS - run.toS <= everyS) run.toS = atS;
    else runs.push({ fromS: atS, toS: atS });
  }
  return runs
    .filter(({ fromS, toS }) => toS - fromS >= pendingS)
    .map(({ fromS, toS }) => ({ fromS: fromS + pendingS, toS: toS + everyS }));
}

/** The spans put together where one begins before another has ended. */
export function united(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const { fromS, toS } of [...spans].sort((one, other) => one.fromS - other.fromS)) {
    const last = joined.at(-1);
    if (last !== undefined && fromS <= last.toS) last.toS = Math.max(last.toS, toS);
    else joined.push({ fromS, toS });
  }
  return joined;
}
