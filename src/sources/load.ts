import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { shown } from '../domain/text.ts';
import type { Problem } from './combine.ts';
import { compileFeed, type Feed } from './feed.ts';
import { problemsOf } from './issues.ts';
import { type FeedSpec, sourcesSchema } from './schema.ts';

/** Something wrong in a sources file and where it stands, both counted from 1. */
export interface SourceProblem {
  line: number;
  column: number;
  message: string;
}

/** The feeds of a file in its order, or everything that is wrong with it. */
export type Sources = { kind: 'feeds'; feeds: Feed[] } | { kind: 'wrong'; problems: SourceProblem[] };

/**
 * Reads a sources file. Every scalar is taken as the text that stands there (YAML's failsafe schema): numbers such as
 * 0031 and words such as `no` mean themselves. Never throws: every text gives feeds or problems.
 */
export function readSources(text: string): Sources {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const placed = (offset: number, message: string): SourceProblem => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    const problems = broken.map(({ code, message, pos: [offset] }) =>
      placed(offset, code === 'DUPLICATE_KEY' ? 'expected each key once, got this one again' : message),
    );
    return { kind: 'wrong', problems };
  }
  const problems: Problem[] = [];
  const feeds = feedsIn(document, problems);
  if (problems.length === 0) return { kind: 'feeds', feeds };
  const wrong = problems.map(({ at, message, isKey }) => {
    const where = at.length === 0 ? '' : `${at.join('.')}: `;
    return placed(offsetOf(document, at, isKey === true), where + message);
  });
  return { kind: 'wrong', problems: oneAPlace(wrong) };
}

/** In the order of the file. Of one place the first problem is said: others follow from it, or from an alias of it. */
function oneAPlace(problems: readonly SourceProblem[]): SourceProblem[] {
  const places = new Map<string, SourceProblem>();
  for (const problem of problems) {
    // Keys that are missing are all said where their mapping stands.
    const missing = problem.message.endsWith('got nothing') ? problem.message : '';
    const place = `${problem.line}:${problem.column}:${missing}`;
    if (!places.has(place)) places.set(place, problem);
  }
  return [...places.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** A problem as the command line shows it. */
export function problemText({ line, column, message }: SourceProblem): string {
  return `line ${line}, column ${column}: ${message}`;
}

function feedsIn(document: Document, problems: Problem[]): Feed[] {
  let content: unknown;
  try {
    content = document.toJS();
  } catch {
    // An alias of what is not there, or so many that the file would explode.
    problems.push({
      at: [],
      message: 'expected each alias (*) to name an anchor (&) before it, and few of them',
    });
    return [];
  }
  const result = sourcesSchema.safeParse(content);
  if (!result.success) {
    problems.push(...problemsOf(result.error.issues, content));
    return [];
  }
  const specs = Object.entries(result.data);
  if (specs.length === 0) problems.push({ at: [], message: 'expected at least one feed, got none' });
  checkExchanges(specs, problems);
  return specs.map(([name, spec]) => compileFeed(name, spec, problems));
}

/** A feed is told by the exchange that a message was published to, so no two can share one. */
function checkExchanges(specs: readonly (readonly [string, FeedSpec])[], problems: Problem[]): void {
  const owners = new Map<string, string>();
  for (const [name, { exchange }] of specs) {
    const owner = owners.get(exchange);
    if (owner === undefined) owners.set(exchange, name);
    else
      problems.push({
        at: [name, 'exchange'],
        message: `expected an exchange of the feed's own, got ${shown(exchange)}, which is that of ${owner}`,
      });
  }
}

/** Where a value stands; of a key that is not there, where the nearest thing around it stands. */
function offsetOf(document: Document, at: Problem['at'], isKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of at.entries()) {
    const around: Node | undefined | null = isAlias(node)
      ? node.resolve(document)
      : isNode(node)
        ? node
        : null;
    let next: unknown;
    if (isMap(around)) {
      const pair = around.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) break;
      // The key stands before what it names, and is all that there is of an empty value.
      offset = startOf(pair.key) ?? offset;
      if (isKey && index === at.length - 1) break;
      next = pair.value;
    } else if (isSeq(around)) next = around.items[Number(step)];
    else break;
    node = next;
    const start = startOf(node);
    if (start !== undefined) offset = start;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
