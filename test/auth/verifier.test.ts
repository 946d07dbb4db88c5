import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HashQueue, hashPlaces } from '../../src/auth/hash-queue.ts';
import { DUMMY_HASH } from '../../src/auth/password.ts';
import { createVerifier, type KnownUser, type Verdict, type Verifier } from '../../src/auth/verifier.ts';

const REFUSED: Verdict = { kind: 'unauthenticated', throttled: false };
const THROTTLED: Verdict = { kind: 'unauthenticated', throttled: true };

let users: Map<string, KnownUser>;
/** Each query's names. */
let queries: string[][];
let failure: Error | undefined;
/** Each slow hash's stored hash and password, in their order. */
let hashes: [stored: string, password: string][];
let release: (() => void)[];
let isHeld: boolean;
let now: number;
let verifier: Verifier;

beforeEach(() => {
  users = new Map();
  queries = [];
  failure = undefined;
  hashes = [];
  release = [];
  isHeld = false;
  now = 0;
  verifier = createVerifier({
    now: () => now,
    readUsers: async (usernames) => {
      queries.push([...usernames]);
      if (failure) throw failure;
      return new Map([...users].filter(([name]) => usernames.includes(name)));
    },
    verify: async (stored, password) => {
      hashes.push([stored, password]);
      if (isHeld) await new Promise<void>((resolve) => release.push(resolve));
      return stored === `hash of ${password}`;
    },
    cacheSize: 100,
    places: { guesses: 20, passwords: 40 },
  });
  user('switch', 'right');
});

afterEach(() => {
  verifier.stop();
});

function user(username: string, password: string, change: Partial<KnownUser> = {}): void {
  users.set(username, {
    username,
    passwordHash: `hash of ${password}`,
    role: 'system',
    active: true,
    confinement: null,
    ...change,
  });
}

const ok = (username: string, role = 'system'): Verdict => ({
  kind: 'ok',
  username,
  role,
  confinement: null,
});

/** Lets everything go on that does not wait for a hash that is held. */
function persisted(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Ends the slow hash under way. */
async function releaseOne(): Promise<void> {
  release.shift()?.();
  await persisted();
}

describe('a check', () => {
  test('accepts the right password, with the role', async () => {
    user('boss', 'also right', { role: 'operator' });
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(await verifier.check('boss', 'also right')).toEqual(ok('boss', 'operator'));
  });

  test('is answered at once, without hash or query, when the credentials are remembered', async () => {
    await verifier.check('switch', 'right');
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(hashes).toHaveLength(1);
    expect(queries).toHaveLength(1);
  });

  test('remembers the credentials of a switch at work for good, and others for an hour', async () => {
    await verifier.check('switch', 'right');
    for (let minutes = 0; minutes < 90; minutes += 30) {
      now += 30 * 60_000;
      await verifier.refresh();
      expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    }
    now += 60 * 60_000;
    await verifier.check('switch', 'right');
    expect(hashes).toHaveLength(2);
  });

  test.each([
    ['an unknown user', () => users.delete('switch')],
    ['a disabled user', () => user('switch', 'right', { active: false })],
  ])('refuses %s after the same work as a wrong password', async (_who, change) => {
    change();
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
    expect(hashes).toEqual([[DUMMY_HASH, 'right']]);
  });

  test('refuses a wrong password, and remembers that for ten seconds', async () => {
    expect(await verifier.check('switch', 'wrong')).toEqual(REFUSED);
    now += 9999;
    expect(verifier.check('switch', 'wrong')).toEqual(REFUSED);
    now += 1;
    expect(await verifier.check('switch', 'wrong')).toEqual(REFUSED);
    expect(hashes).toHaveLength(2);
  });

  test('does not mistake one pair of name and password for another', async () => {
    user('a', 'bc');
    expect(await verifier.check('a', 'bc')).toEqual(ok('a'));
    user('ab', 'other');
    expect(await verifier.check('ab', 'c')).toEqual(REFUSED);
  });

  test('refuses a password that nobody can have without hashing it', () => {
    expect(verifier.check('switch', 'x'.repeat(1025))).toEqual(REFUSED);
    expect(hashes).toEqual([]);
  });

  test('forgets the credentials used longest ago when there are too many', async () => {
    await verifier.check('switch', 'right');
    for (let index = 0; index < 100; index += 1) {
      user(`u${index}`, 'right');
      await verifier.check(`u${index}`, 'right');
    }
    hashes = [];
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(hashes).toHaveLength(1);
    expect(verifier.check('u99', 'right')).toEqual(ok('u99'));
  });
});

describe('many checks at once', () => {
  test('of the same credentials share one query and one hash', async () => {
    const verdicts = await Promise.all(Array.from({ length: 500 }, () => verifier.check('switch', 'right')));
    expect(new Set(verdicts.map(({ kind }) => kind))).toEqual(new Set(['ok']));
    expect(queries).toEqual([['switch']]);
    expect(hashes).toHaveLength(1);
  });

  test('of several users share their queries', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `u${index}`);
    for (const name of names) user(name, 'right');
    await Promise.all(names.map((name) => verifier.check(name, 'right')));
    expect(queries).toEqual([names]);
  });

  test('hash one after the other', async () => {
    isHeld = true;
    const verdicts = ['a', 'b', 'right'].map((password) => verifier.check('switch', password));
    await persisted();
    expect(hashes).toHaveLength(1);
    await releaseOne();
    expect(hashes).toHaveLength(2);
    await releaseOne();
    await releaseOne();
    expect(await Promise.all(verdicts)).toEqual([REFUSED, REFUSED, ok('switch')]);
  });

  test('against one user let the others have their turn', async () => {
    user('other', 'right too');
    isHeld = true;
    const storm = Array.from({ length: 50 }, (_, index) => verifier.check('switch', `guess ${index}`));
    await persisted();
    const other = verifier.check('other', 'right too');
    await persisted();
    await releaseOne();
    await releaseOne();
    expect(hashes.slice(0, 3).map(([, password]) => password)).toContain('right too');
    isHeld = false;
    for (const each of release.splice(0)) each();
    expect(await other).toEqual(ok('other'));
    await Promise.all(storm);
  });

  test('do not keep out a switch whose credentials are remembered', async () => {
    await verifier.check('switch', 'right');
    isHeld = true;
    const storm = Array.from({ length: 200 }, (_, index) => verifier.check('switch', `guess ${index}`));
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    isHeld = false;
    for (const each of release.splice(0)) each();
    await Promise.all(storm);
  });
});

describe('a storm of wrong credentials', () => {
  /** The places of all lines, taken and released in the end. */
  async function underStorm(storm: () => void, then: () => Promise<void>): Promise<void> {
    isHeld = true;
    storm();
    await persisted();
    await then();
    isHeld = false;
    for (const each of release.splice(0)) each();
    await persisted();
  }

  const invented = (count: number) =>
    Array.from({ length: count }, (_, index) => verifier.checkSoon(`nobody ${index}`, 'guess'));
  const guessed = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => verifier.checkSoon(name, `guess ${index}`));

  test('with invented names waits in a few places and is refused at once beyond them', async () => {
    let storm: ReturnType<typeof invented> = [];
    await underStorm(
      () => {
        storm = invented(3000);
      },
      async () => {
        expect(hashes).toHaveLength(1);
      },
    );
    const verdicts = await Promise.all(storm);
    expect(verdicts.every(({ kind }) => kind === 'unauthenticated')).toBe(true);
    expect(verdicts.filter((verdict) => 'throttled' in verdict && verdict.throttled)).toHaveLength(2980);
    expect(hashes).toHaveLength(20);
  });

  test('with invented names lets a user who was never seen have the next turn', async () => {
    let real: ReturnType<Verifier['checkSoon']> | undefined;
    await underStorm(
      () => void invented(3000),
      async () => {
        real = verifier.checkSoon('switch', 'right');
        await persisted();
        for (let turns = 0; turns < 3; turns += 1) await releaseOne();
        expect(hashes.map(([, password]) => password)).toContain('right');
      },
    );
    expect(await real).toEqual(ok('switch'));
  });

  test('with the name of a user whose password is known is one of guesses, for every answer is no', async () => {
    await verifier.check('switch', 'right');
    let storm: ReturnType<typeof guessed> = [];
    await underStorm(
      () => {
        storm = guessed('switch', 500);
      },
      async () => {
        expect(verifier.checkSoon('switch', 'right')).toEqual(ok('switch'));
        expect(verifier.checkSoon('nobody', 'guess')).toBeInstanceOf(Promise);
        await persisted();
        expect(verifier.checkSoon('nobody', 'other')).toEqual(THROTTLED);
      },
    );
    const verdicts = await Promise.all(storm);
    expect(verdicts.filter((verdict) => 'throttled' in verdict && verdict.throttled)).toHaveLength(480);
  });

  test.each([
    ['an unknown name', 'nobody', () => undefined],
    ['a disabled user', 'gone', () => user('gone', 'right', { active: false })],
    ['a wrong password', 'switch', () => undefined],
  ])('answers %s at once when there are too many guesses, one like the other', async (_what, name, given) => {
    given();
    await verifier.check('switch', 'right');
    await verifier.check(name, 'warm up');
    await underStorm(
      () => void invented(50),
      async () => expect(verifier.checkSoon(name, 'guess')).toEqual(THROTTLED),
    );
  });

  test('of the same guess holds no more places than one of different guesses', async () => {
    await verifier.check('nobody', 'warm up');
    let storm: ReturnType<typeof guessed> = [];
    await underStorm(
      () => {
        storm = Array.from({ length: 50 }, () => verifier.checkSoon('nobody', 'guess'));
      },
      async () => expect(storm.filter((verdict) => verdict instanceof Promise)).toHaveLength(20),
    );
    expect(hashes).toHaveLength(2);
  });

  test('leaves three quarters of the time to others, and a user his turn at once', async () => {
    const times: [password: string, at: number][] = [];
    const line = new HashQueue(
      async (_, password) => {
        times.push([password, now]);
        now += 30;
        return password === 'right';
      },
      { guesses: 10, passwords: 10 },
      () => now,
    );
    const guesses = ['a', 'b', 'c'].map((guess) => line.guess(guess, 'hash', guess));
    await guesses[0];
    await persisted();
    expect(times).toEqual([['a', 0]]);
    expect(await line.join('switch', 'key', 'hash', 'right')).toBe(true);
    expect(times).toEqual([
      ['a', 0],
      ['right', 30],
    ]);
    now = 120;
    await guesses[1];
    now = Math.max(now, 240);
    await guesses[2];
    expect(times.slice(2)).toEqual([
      ['b', 120],
      ['c', 240],
    ]);
    line.stop();
  });

  test('costs nothing where the same wrong credentials come again', async () => {
    await verifier.check('switch', 'wrong');
    await verifier.check('nobody', 'wrong');
    for (let again = 0; again < 1000; again += 1) {
      expect(verifier.checkSoon('switch', 'wrong')).toEqual(REFUSED);
      expect(verifier.checkSoon('nobody', 'wrong')).toEqual(REFUSED);
    }
    expect(hashes).toHaveLength(2);
  });

  test('against a user never seen refuses nobody unlooked at: what has no place is set aside', async () => {
    await verifier.check('switch', 'warm up');
    let storm: ReturnType<typeof guessed> = [];
    await underStorm(
      () => {
        storm = guessed('switch', 100);
      },
      async () => {
        // One is being hashed, sixteen wait.
        expect(storm.filter((verdict) => verdict instanceof Promise)).toHaveLength(17);
        expect(storm.slice(17).every((verdict) => 'kind' in verdict && verdict.kind === 'crowded')).toBe(
          true,
        );
        expect(verifier.checkSoon('switch', 'right')).toEqual({ kind: 'crowded' });
        // What was set aside is looked at, however many wait.
        isHeld = false;
        const late = verifier.checkLate('switch', 'right');
        await releaseOne();
        expect(await late).toEqual(ok('switch'));
      },
    );
  });

  test('against a user never seen keeps places for a password that comes again', async () => {
    await verifier.check('switch', 'warm up');
    await underStorm(
      () => void guessed('switch', 100),
      async () => {
        expect(verifier.checkSoon('switch', 'right')).toEqual({ kind: 'crowded' });
        for (let index = 0; index < 100; index += 1) verifier.checkSoon('switch', `other ${index}`);
        const again = verifier.checkSoon('switch', 'right');
        expect(again).toBeInstanceOf(Promise);
        isHeld = false;
        await releaseOne();
        expect(await again).toEqual(ok('switch'));
      },
    );
  });

  test('is answered without a hash once it was set aside and must be wrong', async () => {
    await verifier.check('switch', 'right');
    await verifier.check('nobody', 'warm up');
    hashes = [];
    expect(verifier.checkLate('switch', 'guess')).toEqual(REFUSED);
    expect(verifier.checkLate('nobody', 'guess')).toEqual(REFUSED);
    expect(hashes).toEqual([]);
  });

  test('against a user never seen is overtaken by the password that comes again', async () => {
    await verifier.check('switch', 'warm up');
    await underStorm(
      () => void guessed('switch', 10),
      async () => {
        const calls = [verifier.checkSoon('switch', 'right'), verifier.checkSoon('switch', 'right')];
        await releaseOne();
        await releaseOne();
        expect(hashes.slice(1).map(([, password]) => password)).toContain('right');
        expect(hashes.length).toBeLessThanOrEqual(4);
        isHeld = false;
        await releaseOne();
        expect(await Promise.all(calls)).toEqual([ok('switch'), ok('switch')]);
      },
    );
  });

  test('of guesses that come again and again does not keep one that came once from its turn', async () => {
    await verifier.check('switch', 'warm up');
    await underStorm(
      () => void guessed('switch', 10),
      async () => {
        hashes = [];
        const once = verifier.checkSoon('switch', 'right');
        let turns = 0;
        while (!hashes.some(([, password]) => password === 'right') && turns < 100) {
          turns += 1;
          for (let copies = 0; copies < 5; copies += 1) verifier.checkSoon('switch', `new guess ${turns}`);
          await releaseOne();
        }
        // Twice the places of a line.
        expect(turns).toBeLessThanOrEqual(64);
        isHeld = false;
        await releaseOne();
        expect(await once).toEqual(ok('switch'));
      },
    );
  });

  test('of many users never seen gives each of them one place, whatever is taken', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `u${index}`);
    for (const name of names) {
      user(name, 'right');
      await verifier.check(name, 'warm up');
    }
    await underStorm(
      () => {
        const storm = names.flatMap((name) => guessed(name, 2));
        expect(storm.filter((verdict) => verdict instanceof Promise)).toHaveLength(80);
      },
      async () => {
        user('late', 'right');
        const late = verifier.checkSoon('late', 'right');
        await persisted();
        isHeld = false;
        for (const each of release.splice(0)) each();
        expect(await late).toEqual(ok('late'));
      },
    );
  });

  test('leaves nothing behind that would keep the places taken', async () => {
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([...invented(50), ...guessed('switch', 50)]);
      now += 20_000;
    }
    isHeld = true;
    const storm = invented(50);
    await persisted();
    const verdicts = storm.filter((verdict) => verdict instanceof Promise);
    isHeld = false;
    for (const each of release.splice(0)) each();
    expect(
      (await Promise.all(verdicts)).filter((verdict) => !('throttled' in verdict && verdict.throttled))
        .length,
    ).toBe(20);
    expect(await verifier.checkSoon('switch', 'right')).toEqual(ok('switch'));
  });

  test('of more names than are remembered drives no user out', async () => {
    await verifier.check('switch', 'right');
    await Promise.all(invented(500));
    queries = [];
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(queries).toEqual([]);
  });

  test('with a name that nobody can have is refused without a query', () => {
    expect(verifier.checkSoon('n'.repeat(60_000), 'guess')).toEqual(REFUSED);
    expect([queries, hashes]).toEqual([[], []]);
  });
});

describe('a change in the database', () => {
  test('of a password counts after the next refresh, in both directions', async () => {
    await verifier.check('switch', 'right');
    await verifier.check('switch', 'new');
    user('switch', 'new');
    await verifier.refresh();
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
    expect(await verifier.check('switch', 'new')).toEqual(ok('switch'));
  });

  test('of a role counts after the next refresh, without a hash', async () => {
    await verifier.check('switch', 'right');
    user('switch', 'right', { role: 'viewer' });
    await verifier.refresh();
    expect(verifier.check('switch', 'right')).toEqual(ok('switch', 'viewer'));
  });

  test('of a confinement counts after the next refresh, without a hash', async () => {
    await verifier.check('switch', 'right');
    const confinement = { machines: new Set(['m-1']), customers: null };
    user('switch', 'right', { confinement });
    await verifier.refresh();
    expect(verifier.check('switch', 'right')).toEqual({ ...ok('switch'), confinement });
  });

  test.each([
    ['disabled', () => user('switch', 'right', { active: false })],
    ['deleted', () => users.delete('switch')],
  ])('that a user was %s counts after the next refresh', async (_what, change) => {
    await verifier.check('switch', 'right');
    change();
    await verifier.refresh();
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
  });

  test('of a user who is enabled again counts after the next refresh', async () => {
    user('switch', 'right', { active: false });
    await verifier.check('switch', 'right');
    user('switch', 'right');
    await verifier.refresh();
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
  });

  test('counts within 50 s even if nothing is refreshed', async () => {
    await verifier.check('switch', 'right');
    user('switch', 'right', { active: false });
    now = 49_999;
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    now = 50_000;
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
  });

  test('that creates a user counts within ten seconds', async () => {
    expect(await verifier.check('new', 'right')).toEqual(REFUSED);
    user('new', 'right');
    now = 9999;
    expect(verifier.check('new', 'right')).toEqual(REFUSED);
    now = 10_000;
    expect(await verifier.check('new', 'right')).toEqual(ok('new'));
  });

  test('is looked for in one query of all known users', async () => {
    user('other', 'right');
    await Promise.all([
      verifier.check('switch', 'right'),
      verifier.check('other', 'right'),
      verifier.check('nobody', 'right'),
    ]);
    queries = [];
    await verifier.refresh();
    expect(queries.map((names) => names.toSorted())).toEqual([['other', 'switch']]);
  });
});

describe('a database that cannot be read', () => {
  test('is no verdict: the check rejects with its error', async () => {
    failure = new Error('the database is down');
    await expect(verifier.check('switch', 'right')).rejects.toBe(failure);
    failure = undefined;
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
  });

  test('lets remembered credentials count for 50 s, then makes checks wait for it', async () => {
    await verifier.check('switch', 'right');
    failure = new Error('the database is down');
    await verifier.refresh();
    now = 49_999;
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    now = 50_000;
    await expect(verifier.check('switch', 'right')).rejects.toBe(failure);
    failure = undefined;
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(hashes).toHaveLength(1);
  });
});

test('a hash that fails rejects its own check alone', async () => {
  const broken = createVerifier({
    now: () => now,
    readUsers: async () => users,
    verify: (stored, password) =>
      password === 'breaks'
        ? Promise.reject(new Error('no memory'))
        : Promise.resolve(stored.endsWith(password)),
  });
  const verdicts = await Promise.allSettled([
    broken.check('switch', 'breaks'),
    broken.check('switch', 'right'),
  ]);
  expect(verdicts).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: ok('switch') }]);
  broken.stop();
});

test.each([
  [1, 65_536, 1, 1],
  [400, 65_536, 7, 25],
  [1500, 16_384, 24, 94],
  [20_000, 1024, 313, 1250],
  // 4 MiB of messages each, of 32 MiB that may be in hand.
  [20_000, 65_536, 64, 64],
  [1500, 262_144, 16, 16],
  [1500, 16_777_216, 1, 1],
])(
  'a prefetch of %i messages of %i bytes has %i places for guesses and %i for passwords',
  (prefetch, bytes, guesses, passwords) => {
    expect(hashPlaces(prefetch, bytes)).toEqual({ guesses, passwords });
  },
);

test('a stored hash that is none to compare with is told of once, by its user', async () => {
  const told: string[] = [];
  const stored = new Map([
    ['boss', knownUser('boss', '$argon2id$v=19$m=4194304,t=9,p=4$c2FsdHNhbHQ$aGFzaGhhc2g')],
  ]);
  const own = createVerifier({
    readUsers: async () => stored,
    onUnusable: (username) => told.push(username),
  });
  for (const password of ['one', 'two', 'three'])
    expect(await own.check('boss', password)).toMatchObject({ kind: 'unauthenticated' });
  expect(told).toEqual(['boss']);
  own.stop();
});

function knownUser(username: string, passwordHash: string) {
  return { username, passwordHash, role: 'system', active: true, confinement: null };
}
