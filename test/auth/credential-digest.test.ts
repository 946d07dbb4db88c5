import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CredentialDigest } from '../../src/auth/credential-digest.ts';
import { fuzz } from '../domain/fuzzing.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀'), maxLength: 4 });
const credentials = fc.tuple(text, text, text);

it('credentials have one digest, whatever was hashed before, and others have another', () => {
  const digests = new CredentialDigest();
  fuzz(
    fc.property(credentials, credentials, (one, other) => {
      const digest = digests.of(...one);
      expect(digests.of(...other) === digest).toBe(one.every((part, place) => part === other[place]));
      expect(digests.of(...one)).toBe(digest);
    }),
  );
});

it('every byte of long credentials counts, and they change no digest', () => {
  const digests = new CredentialDigest();
  const before = digests.of('u', 'p', 'h');
  const password = '€'.repeat(5000);
  expect(digests.of('u', `${password}a`, 'h')).not.toBe(digests.of('u', `${password}b`, 'h'));
  expect(digests.of('u', 'p', 'h')).toBe(before);
});

it('is another one in each process', () => {
  expect(new CredentialDigest().of('u', 'p', 'h')).not.toBe(new CredentialDigest().of('u', 'p', 'h'));
});
