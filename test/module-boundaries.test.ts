import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

interface SourceFile {
  /** Relative to src, e.g. "domain/cdr.ts". */
  path: string;
  text: string;
  /** Packages as named, siblings relative to src. */
  imports: string[];
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('generated'))
  .map((entry) => {
    const full = join(entry.parentPath, entry.name);
    const text = readFileSync(full, 'utf8');
    const imports = [...text.matchAll(/^(?:import|export)[^;]*?from '([^']+)'/gms)].map(([, name = '']) =>
      name.startsWith('.') ? relative(SRC, resolve(dirname(full), name)) : name,
    );
    return { path: relative(SRC, full), text, imports };
  });

function importsOf(room: string): { path: string; name: string }[] {
  return files
    .filter(({ path }) => path.startsWith(room))
    .flatMap(({ path, imports }) => imports.map((name) => ({ path, name })));
}

describe('module boundaries', () => {
  it('are looked at with all files in view', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(importsOf('domain/').length).toBeGreaterThan(10);
  });

  it('keep the domain pure: zod, decimal.js, a lossless parser, hashing and siblings only', () => {
    const allowed = new Set(['zod', 'decimal.js', 'lossless-json', 'node:crypto']);
    const foreign = importsOf('domain/').filter(
      ({ name }) => !name.startsWith('domain/') && !allowed.has(name),
    );
    expect(foreign).toEqual([]);
    const impure = files.filter(
      ({ path, text }) =>
        path.startsWith('domain/') &&
        /Date\.now|new Date\(\)|Math\.random|process\.|performance\./.test(text),
    );
    expect(impure.map(({ path }) => path)).toEqual([]);
  });

  it('keep broker and store apart', () => {
    expect(importsOf('broker/').filter(({ name }) => name.startsWith('store/'))).toEqual([]);
    expect(importsOf('store/').filter(({ name }) => name.startsWith('broker/'))).toEqual([]);
  });

  it('keep amqplib in the broker and Prisma in the store', () => {
    const users = (pattern: RegExp) =>
      new Set(
        files
          .filter(({ imports }) => imports.some((name) => pattern.test(name)))
          .map(({ path }) => dirname(path)),
      );
    expect(users(/^amqplib/)).toEqual(new Set(['broker']));
    expect(users(/^@prisma\/|^pg$/)).toEqual(new Set(['store']));
  });

  it('let only the configuration read the environment', () => {
    const readers = files.filter(({ text }) => /process\.env/.test(text)).map(({ path }) => path);
    expect(readers).toEqual(['config.ts']);
  });

  it('let every command connect by one way, with the certificates that are set', () => {
    const readers = files.filter(({ text }) => /'(DATABASE|AMQP)_URL'|\.(DATABASE|AMQP)_URL/.test(text));
    expect(readers.map(({ path }) => path)).toEqual(['connections.ts']);
  });

  it('let only one file write to a terminal, and only it knows tables and bars', () => {
    const writing = files.filter(({ text }) =>
      /process\.std(out|err)|console\.(log|error|warn|info)/.test(text),
    );
    expect(writing.map(({ path }) => path)).toEqual(['commands/print.ts']);
    const drawing = files.filter(({ imports }) =>
      imports.some((name) => /^cli-(table3|progress)$/.test(name)),
    );
    expect(drawing.map(({ path }) => path)).toEqual(['commands/print.ts']);
  });

  it('let only one file round and only one acknowledge', () => {
    const rounding = files.filter(({ text }) =>
      /toDecimalPlaces|\.div\(|Math\.round\([^)]*(cost|tax|charg)/.test(text),
    );
    expect(rounding.map(({ path }) => path)).toEqual(['domain/money.ts']);
    const acknowledging = files.filter(({ text }) => /channel\.(ack|nack|reject)\((?!delivery)/.test(text));
    expect(acknowledging.map(({ path }) => path)).toEqual(['broker/consumer-channel.ts']);
  });
});
