#!/usr/bin/env node
// Stack traces name the lines of src. Node reads the source map of a file when it loads the file, so this comes first.
process.setSourceMapsEnabled(true);
const { run } = await import('./commands/run.ts');
await run(process.argv);
