// Leaves of node_modules what the built program loads; used by the Dockerfile and by nothing else.
// Usage: node docker/prune.mjs DIRECTORY, where DIRECTORY holds dist and node_modules.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error('expected a directory, got none');
const modules = join(root, 'node_modules');
const remove = (...path) => rmSync(join(...path), { recursive: true, force: true });
const filesBelow = (directory) =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

// What is reached from the program's own dependencies. Not left to `--omit=dev`: Prisma's command line and the
// compiler are optional peers of its client, so that npm keeps them and all that they need.
const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const needed = new Set();
const waiting = Object.keys(dependencies).map((name) => ['', name]);
for (const [dependent, name] of waiting) {
  const path = resolvedFrom(dependent, name);
  if (path === undefined || needed.has(path) || name.startsWith('@types/')) continue;
  needed.add(path);
  const below = { ...packages[path].dependencies, ...packages[path].optionalDependencies };
  for (const child of Object.keys(below)) waiting.push([path, child]);
}
for (const path of Object.keys(packages)) if (!needed.has(path)) remove(root, path);
for (const path of needed) for (const part of ['test', 'tests', 'docs', 'examples']) remove(root, path, part);

// The client carries the query compiler of every database; the program names the one it loads.
const runtime = join(modules, '@prisma/client/runtime');
const wanted = new Set(
  filesBelow(join(root, 'dist'))
    .filter((file) => file.endsWith('.js'))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/@prisma\/client\/runtime\/([\w.-]+)/g)])
    .map(([, name]) => (name.endsWith('.mjs') ? name : `${name}.js`)),
);
if (![...wanted].some((name) => name.includes('query_compiler'))) {
  throw new Error('expected the program to name a query compiler, found none');
}
for (const name of readdirSync(runtime)) if (!wanted.has(name)) remove(runtime, name);

// Sources and maps are for those who build.
for (const file of filesBelow(modules)) if (/(\.map|\.md|\.[mc]?ts)$/.test(file)) remove(file);
remove(modules, '.bin');
remove(modules, '.package-lock.json');

/** Where a package finds another: in its own node_modules, else in the nearest further out. */
function resolvedFrom(dependent, name) {
  for (let place = dependent; ; place = place.slice(0, Math.max(0, place.lastIndexOf('node_modules/') - 1))) {
    const path = `${place === '' ? '' : `${place}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (place === '') return undefined;
  }
}
