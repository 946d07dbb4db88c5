// The properties of the domain again, with many more cases; FUZZ_SEED repeats a failure.
process.env.FUZZ_RUNS ??= '200000';

await import('../domain/money.test.ts');
await import('../domain/ledger.test.ts');
await import('../domain/properties.test.ts');
