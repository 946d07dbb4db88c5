import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/**
 * The modules of src, lowest first, and what each of them may import besides itself. A row names only rows above it, so
 * that nothing imports upwards and two modules of one height know nothing of each other.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  domain: [],
  'retry.ts': [],
  'plural.ts': [],
  'pairs.ts': [],
  'csv.ts': ['domain'],
  'input.ts': ['domain'],
  'package-root.ts': [],
  sources: ['domain'],
  config: ['domain'],
  'config.ts': ['domain', 'config'],
  'billing-rules.ts': ['domain', 'config.ts'],
  'connections.ts': ['config.ts'],
  'sources-file.ts': ['config.ts', 'sources'],
  ops: ['domain'],
  auth: ['domain'],
  broker: ['domain', 'retry.ts', 'plural.ts'],
  store: ['domain', 'retry.ts', 'pairs.ts', 'package-root.ts'],
  worker: [
    ...['domain', 'retry.ts', 'pairs.ts', 'config.ts', 'billing-rules.ts', 'connections.ts', 'sources'],
    ...['sources-file.ts', 'ops', 'auth', 'broker', 'store'],
  ],
  // A dry run admits messages with the worker's own code.
  'dead-letters': [
    'domain',
    'retry.ts',
    'plural.ts',
    'pairs.ts',
    'csv.ts',
    'input.ts',
    'config.ts',
    'billing-rules.ts',
    'connections.ts',
    'sources',
    'broker',
    'store',
    'worker',
  ],
  // What operators do with stored calls.
  calls: [
    ...['domain', 'retry.ts', 'plural.ts', 'csv.ts', 'input.ts', 'broker', 'store', 'worker'],
    'dead-letters',
  ],
  console: [
    ...['domain', 'retry.ts', 'plural.ts', 'input.ts', 'ops', 'auth', 'store', 'dead-letters', 'calls'],
  ],
  commands: [
    ...[
      'domain',
      'retry.ts',
      'plural.ts',
      'pairs.ts',
      'input.ts',
      'package-root.ts',
      'config.ts',
      'billing-rules.ts',
      'connections.ts',
      'sources',
      'sources-file.ts',
      'ops',
    ],
    ...['auth', 'broker', 'store', 'worker', 'dead-letters', 'calls', 'console'],
  ],
  'cli.ts': ['commands'],
};

interface SourceFile {
  /** Relative to the repository, e.g. "src/domain/cdr.ts". */
  path: string;
  text: string;
  /** What it imports, types and `import()` included: packages by name, files by path. */
  imports: string[];
}

const IMPORT = /(?:^(?:import|export)\b[^;]*?\bfrom |^import |\bimport\()'([^']+)'/gm;

const files: SourceFile[] = ['src', 'bench', 'dev', 'test'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => /\.(ts|mjs)$/.test(name) && !parentPath.includes('generated'))
    .map(({ name, parentPath }) => {
      const text = readFileSync(join(parentPath, name), 'utf8');
      const imports = [...text.matchAll(IMPORT)].map(([, imported = '']) =>
        imported.startsWith('.') ? relative(ROOT, resolve(parentPath, imported)) : imported,
      );
      return { path: relative(ROOT, join(parentPath, name)), text, imports };
    }),
);
const source = files
  .filter(({ path }) => path.startsWith('src/'))
  .map(({ path, text, imports }) => ({ path: withoutSrc(path), text, imports: imports.map(withoutSrc) }));

function withoutSrc(path: string): string {
  return path.replace(/^src\//, '');
}

/** The directory in src, or the file directly in it. */
const moduleOf = (path: string) => path.split('/')[0] ?? '';

function importsOf(module: string): { path: string; name: string }[] {
  return source
    .filter(({ path }) => moduleOf(path) === module)
    .flatMap(({ path, imports }) => imports.map((name) => ({ path, name })));
}

/** Files that import each other: each circle once, as the way round it. */
function circles(): string[] {
  const imports = new Map(files.map((file) => [file.path, file.imports]));
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' → '));
    else if (!finished.has(path)) for (const name of imports.get(path) ?? []) visit(name, [...way, path]);
    finished.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

/** What rounds an amount: methods of decimals, JavaScript's own on what looks like money, functions and casts of SQL. */
const ROUNDING =
  /\.(toDecimalPlaces|toDP|toNearest|toSignificantDigits|div|dividedBy|idiv)\(|\b(cost|tax|charged|balance|amount)\w*\.toFixed\(|Math\.(round|floor|ceil|trunc)\([^)]*(cost|tax|charg|amount)|(?<!Math\.)(?<!\.)\b(div|round|trunc|ceil|floor)\(|\b(numeric|decimal) ?\(/;

/** An amount with a fixed number of places, which `SCALE` of domain/money.ts should give. */
const FIXED_PLACES = /\b(cost|tax|charged|balance|amount)\w*\b.*\.toFixed\(\d/;

function withoutDocumentation(text: string): string {
  return text.replace(/\/\*\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '');
}

describe('module boundaries', () => {
  it('are checked on all files', () => {
    expect(source.length).toBeGreaterThan(100);
    expect(files.length).toBeGreaterThan(300);
    expect(importsOf('domain').length).toBeGreaterThan(10);
  });

  it('leave no circle of imports in src, bench, dev or test', () => {
    expect(circles()).toEqual([]);
  });

  it('name every module, and in each row only modules above it', () => {
    expect(new Set(source.map(({ path }) => moduleOf(path)))).toEqual(new Set(Object.keys(MAY_IMPORT)));
    const order = Object.keys(MAY_IMPORT);
    const upward = Object.entries(MAY_IMPORT).flatMap(([module, below]) =>
      below.filter((name) => order.indexOf(name) >= order.indexOf(module)).map((name) => [module, name]),
    );
    expect(upward).toEqual([]);
  });

  it('let a module import only those that its row names, and nothing from outside src', () => {
    const local = new Set(files.map(({ path }) => withoutSrc(path)));
    const forbidden = source.flatMap(({ path, imports }) => {
      const module = moduleOf(path);
      return imports
        .filter((name) => local.has(name))
        .filter((name) => ![module, ...(MAY_IMPORT[module] ?? [])].includes(moduleOf(name)))
        .map((name) => `${path} imports ${name}`);
    });
    expect(forbidden).toEqual([]);
  });

  it('keep broker and store apart, and the commands to the command line', () => {
    const importers = (module: string) =>
      new Set(
        source
          .filter(({ imports }) => imports.some((name) => moduleOf(name) === module))
          .map(({ path }) => moduleOf(path)),
      );
    expect(importers('store')).not.toContain('broker');
    expect(importers('broker')).not.toContain('store');
    expect(importers('commands')).toEqual(new Set(['commands', 'cli.ts']));
  });

  it('keep the domain pure: zod, decimal.js, a lossless parser and hashing only', () => {
    const allowed = new Set(['zod', 'decimal.js', 'lossless-json', 'node:crypto']);
    const foreign = importsOf('domain').filter(
      ({ name }) => moduleOf(name) !== 'domain' && !allowed.has(name),
    );
    expect(foreign).toEqual([]);
    const impure = source.filter(
      ({ path, text }) =>
        moduleOf(path) === 'domain' &&
        /Date\.now|new Date\(\)|Math\.random|process\.|performance\./.test(text),
    );
    expect(impure.map(({ path }) => path)).toEqual([]);
  });

  it('keep the sources pure: zod, yaml and a lossless parser only', () => {
    const allowed = new Set(['zod', 'yaml', 'lossless-json']);
    const foreign = importsOf('sources').filter(
      ({ name }) => !['sources', 'domain'].includes(moduleOf(name)) && !allowed.has(name),
    );
    expect(foreign).toEqual([]);
    const impure = source.filter(
      ({ path, text }) =>
        moduleOf(path) === 'sources' &&
        /Date\.now|new Date\(\)|Math\.random|process\.|performance\./.test(text),
    );
    expect(impure.map(({ path }) => path)).toEqual([]);
  });

  it('keep amqplib in the broker and Prisma in the store', () => {
    const users = (pattern: RegExp) =>
      new Set(
        source
          .filter(({ imports }) => imports.some((name) => pattern.test(name)))
          .map(({ path }) => moduleOf(path)),
      );
    expect(users(/^amqplib/)).toEqual(new Set(['broker']));
    expect(users(/^@prisma\/|^pg$/)).toEqual(new Set(['store']));
  });

  it('let only the configuration read the environment', () => {
    const readers = source.filter(({ text }) => /process\.env/.test(text)).map(({ path }) => path);
    expect(readers).toEqual(['config.ts']);
  });

  it('let all commands connect in one way, with the certificates that are configured', () => {
    const readers = source.filter(({ text }) => /'(DATABASE|AMQP)_URL'|\.(DATABASE|AMQP)_URL/.test(text));
    expect(readers.map(({ path }) => path)).toEqual(['connections.ts']);
  });

  it('let only one file write to the terminal, and only that one know tables and progress bars', () => {
    const writing = source.filter(({ text }) =>
      /process\.std(out|err)|console\.(log|error|warn|info)/.test(text),
    );
    expect(writing.map(({ path }) => path)).toEqual(['commands/print.ts']);
    const drawing = source.filter(({ imports }) =>
      imports.some((name) => /^(table|cli-progress)$/.test(name)),
    );
    expect(drawing.map(({ path }) => path)).toEqual(['commands/print.ts']);
  });

  it('let only one file round, here and in SQL, and only one acknowledge', () => {
    const rounding = source.filter(({ text }) => ROUNDING.test(withoutDocumentation(text)));
    expect(rounding.map(({ path }) => path)).toEqual(['domain/money.ts']);
    const acknowledging = source.filter(({ text }) => /channel\.(ack|nack|reject)\((?!delivery)/.test(text));
    expect(acknowledging.map(({ path }) => path)).toEqual(['broker/consumer-channel.ts']);
  });

  it('have dev and bench write amounts with the places that money has', () => {
    const others = files.filter(({ path }) => /^(dev|bench)\//.test(path));
    expect(others.filter(({ text }) => FIXED_PLACES.test(text)).map(({ path }) => path)).toEqual([]);
    expect(FIXED_PLACES.test('cost: (below(5) / 1e6).toFixed(6)')).toBe(true);
  });

  it.each([
    'value.toDecimalPlaces(6)',
    'a.div(b)',
    'cost.toFixed(2)',
    'Math.round(charged * 100)',
    'select div(cost * 2, 3)',
    'select round(cost, 6)',
    'select sum(cost)::numeric(30, 6)',
    'select cast(cost as numeric(30, 6))',
    'select trunc(cost)',
  ])('know a rounding when they see one: %s', (text) => {
    expect(ROUNDING.test(text)).toBe(true);
  });
});
