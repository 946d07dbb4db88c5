// Bundles src and the packages that it uses into dist: a command starts in half the CPU time that it takes to find and
// read some six hundred modules one by one (docs/decisions/0010-bundled-program.md).
// It checks no types: `npm run check` does.
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');

/** Packages that load a binary or WebAssembly file of their own by its place. */
const EXTERNAL = ['@node-rs/argon2', '@prisma/client/runtime/query_compiler*'];

/** Packages that are required from node_modules: there instrumentation finds them (docs/operations.md, "Traces"). */
const REQUIRED = {
  name: 'required',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(amqplib|pg)$/ }, ({ path, namespace }) =>
      namespace === 'required' ? { path, external: true } : { path, namespace: 'required' },
    );
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ['src/cli.ts'],
  outdir: DIST,
  bundle: true,
  // Each command is loaded alone, and code that several need is a file of its own.
  splitting: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  external: EXTERNAL,
  plugins: [REQUIRED],
  // Packages as Node would resolve them: "module" is a condition that only bundlers know.
  conditions: [],
  // For packages in CommonJS that require a module of Node's.
  banner: {
    js: "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url);",
  },
  // Node reads the maps whenever a command starts; the text of src would triple them.
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});

// Names contain a hash of the content; what earlier builds left would be published with the package.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(DIST)) {
  if (!written.has(name)) rmSync(join(DIST, name), { recursive: true, force: true });
}
