import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { variables } from '../src/config.ts';
import { parkedReasons } from '../src/domain/outcome.ts';
import { createMetrics } from '../src/worker/metrics.ts';
import { alerts } from './k8s/queries.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const text = readFileSync(`${ROOT}docs/operations.md`, 'utf8');
const code = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block).join('');
const help = execFileSync(process.execPath, [`${ROOT}dist/cli.js`, '--help'], { encoding: 'utf8' });

describe('docs/operations.md', () => {
  it('has a section for each alert, and for no other', () => {
    const sections = [...text.matchAll(/^### (CdrIngest\w+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(alerts.map(({ alert }) => alert));
  });

  it('explains every reason that CdrIngestParkedCalls tells of', () => {
    const [, section = ''] = /^### CdrIngestParkedCalls\n(.*?)^###? /ms.exec(text) ?? [];
    expect(parkedReasons.filter((reason) => !section.includes(`\`${reason}\``))).toEqual([]);
  });

  it('lists every metric of the worker but those of Node itself, and none that it does not have', async () => {
    const exported = await createMetrics().registry.getMetricsAsJSON();
    const own = exported.map(({ name }) => name).filter((name) => /^(cdr_ingest|messaging)_/.test(name));
    const listed = [...text.matchAll(/^\| `((?:cdr_ingest|messaging)_\w+)`/gm)].map(([, name]) => name);
    expect(new Set(listed)).toEqual(new Set(own));
  });

  it('runs only commands that exist', () => {
    const existing = new Set([...help.matchAll(/^ {2}(\w+)/gm)].map(([, name = '']) => name));
    const named = [...code.matchAll(/cdr-ingest (\w+)/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !existing.has(name))).toEqual([]);
  });

  it('names only variables that exist', () => {
    const own = /`((?:AMQP|DATABASE|SHUTDOWN|OUTAGE|MAX|DELIVERY|PREFETCH|BATCH|CONFIRM|STATEMENT)\w*)`/g;
    const named = [...text.matchAll(own)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !(name in variables))).toEqual([]);
  });

  it('links to pages and tests that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
    expect(links.filter((path) => !existsSync(`${ROOT}docs/${path}`))).toEqual([]);
  });
});
