import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Throws where the program asks to be told of uncaught exceptions. */
const BUG = `data:text/javascript,const { on } = process;
  process.on = (event, ...rest) => {
    if (event === 'uncaughtException') throw new Error('bug');
    return on.call(process, event, ...rest);
  };`;

it('a stack trace names the line of src', () => {
  const { stderr } = spawnSync(process.execPath, ['--import', BUG, `${DIST}cli.js`, 'schema'], {
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/at run \(\S+\/src\/commands\/run\.ts:\d+:\d+\)/);
});

it('the bundle lacks only packages that load a file of their own, and those that instrumentation looks for', () => {
  const files = readdirSync(DIST);
  expect(files.filter((name) => !/\.js(\.map)?$/.test(name))).toEqual([]);
  const packages = files
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [
      ...readFileSync(`${DIST}${name}`, 'utf8').matchAll(
        /(?:^import .*from |^\} from |\bimport\(|require\d*\()"([^."][^"]*)"/gm,
      ),
    ])
    .map(([, name = '']) => name)
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
  expect([...new Set(packages)].toSorted()).toEqual([
    '@node-rs/argon2',
    '@prisma/client/runtime/query_compiler_small_bg.postgresql.mjs',
    '@prisma/client/runtime/query_compiler_small_bg.postgresql.wasm-base64.mjs',
    // Quoted in ajv's templates of code, which is never generated here.
    'ajv/dist/runtime/equal',
    'amqplib',
    'pg',
  ]);
});

it('of the languages of zod, only English is in the bundle', () => {
  const languages = readdirSync(DIST)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [
      ...readFileSync(`${DIST}${name}`, 'utf8').matchAll(
        /^\/\/ node_modules\/zod\/v4\/locales\/(\w+)\.js$/gm,
      ),
    ])
    .map(([, language]) => language);
  expect(languages).toEqual(['en']);
});
