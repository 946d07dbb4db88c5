// The properties of the domain and of decoding again, with many more cases; FUZZ_SEED repeats a failure.
process.env.FUZZ_RUNS ??= '200000';

await import('../domain/money.test.ts');
await import('../domain/ledger.test.ts');
await import('../domain/properties.test.ts');
await import('../domain/body-bounds.test.ts');
await import('../broker/decoding/frame-guard.test.ts');
await import('../broker/decoding/guarded-decoding.test.ts');
