import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createStatementMetrics, reportStatements } from '../../src/worker/statement-reports.ts';

it('measures statements by name', async () => {
  const registry = new Registry();
  const onStatement = reportStatements(createStatementMetrics(registry), { warn: () => undefined });
  onStatement('persist.write', 30);
  onStatement('persist.write', 70);
  onStatement('persist.look-up', 4);
  const text = await registry.metrics();
  expect(text).toContain('cdr_ingest_statement_seconds_count{statement="persist.write"} 2');
  expect(text).toContain('cdr_ingest_statement_seconds_sum{statement="persist.write"} 0.1');
  expect(text).toContain('cdr_ingest_statement_seconds_bucket{le="0.005",statement="persist.look-up"} 1');
});

it('logs a slow statement by name, and of many one line every ten seconds', () => {
  const lines: object[] = [];
  let now = 0;
  const onStatement = reportStatements(
    createStatementMetrics(new Registry()),
    { warn: (fields: object) => void lines.push(fields) },
    () => now,
  );
  onStatement('persist.write', 999);
  for (let at = 0; at < 100; at += 1) onStatement('persist.write', 1500.4);
  onStatement('persist.look-up', 2000);
  now = 10_000;
  onStatement('persist.write', 3000);
  expect(lines).toEqual([
    { statement: 'persist.write', ms: 1500, moreSince: 0 },
    { statement: 'persist.look-up', ms: 2000, moreSince: 0 },
    { statement: 'persist.write', ms: 3000, moreSince: 99 },
  ]);
});
