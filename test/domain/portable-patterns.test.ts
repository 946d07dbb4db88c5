import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asyncApi, messageSchema } from '../../src/domain/schema.ts';
import { BASE, TABLE } from './contract-table.ts';
import { accepts, patternsIn } from './json-schema.ts';

/** As its readers get it, through JSON. */
const schema: unknown = JSON.parse(JSON.stringify(messageSchema()));
const sources: unknown = JSON.parse(
  readFileSync(new URL('../../sources/sources.schema.json', import.meta.url), 'utf8'),
);
const patterns = [...new Set([schema, sources, asyncApi('1.2.3')].flatMap(patternsIn))];

/** Texts of the contract's table, and each with a line feed behind it, where Python's $ may stand. */
const texts = [
  ...new Set(
    TABLE.flatMap(({ cases }) => cases)
      .map(({ json }): unknown => (json === undefined ? undefined : JSON.parse(json)))
      .filter((value) => typeof value === 'string')
      .flatMap((text) => [text, `${text}\n`]),
  ),
];

/**
 * What all of ECMAScript, Python's re and Go's RE2 read alike. A word, digit or blank of \w, \d and \s is another one in
 * each; lookarounds and references are not in RE2; \p is not in Python; \u is not in RE2, \x{…} not in the others.
 */
const FOREIGN = [/\\[^.[\]\\-]/, /\(\?[^:]/, /\[\[|--|&&|~~|\|\|/, /[\ud800-\udfff]/];

const python = spawnSync('python3', ['-c', 'import re, json']);

describe('the patterns of the JSON Schemas', () => {
  it('are of the syntax that ECMAScript, Python and Go have in common', () => {
    expect(patterns.length).toBeGreaterThan(8);
    for (const pattern of patterns)
      expect([pattern, FOREIGN.filter((part) => part.test(pattern))]).toEqual([pattern, []]);
  });

  it.skipIf(python.status !== 0)('give in Python the verdicts that the worker gives', () => {
    const script = `
import json, re, sys, warnings
warnings.simplefilter("error")
given = json.load(sys.stdin)
found = [[re.search(p, t) is not None for t in given["texts"]] for p in given["patterns"]]
json.dump(found, sys.stdout)`;
    const { stdout, stderr } = spawnSync('python3', ['-c', script], {
      input: JSON.stringify({ patterns, texts }),
      encoding: 'utf8',
      maxBuffer: 100_000_000,
    });
    expect(stderr).toBe('');
    const found = JSON.parse(stdout) as boolean[][];
    const inPython = (pattern: string, text: string) =>
      found[patterns.indexOf(pattern)]?.[texts.indexOf(text)] === true;
    for (const { name } of TABLE)
      for (const text of texts) {
        const message = { ...BASE, [name]: text };
        const verdict = accepts(schema, message, inPython);
        expect([name, text, verdict]).toEqual([name, text, accepts(schema, message)]);
      }
  });
});
