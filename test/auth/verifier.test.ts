import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HashQueue, hashPlaces } from '../../src/auth/hash-queue.ts';
import { DUMMY_HASH } from '../../src/auth/password.ts';
import { type AuthResult, createVerifier, type KnownUser, type Verifier } from '../../src/auth/verifier.ts';

const REFUSED: AuthResult = { kind: 'unauthenticated' };
const THROTTLED: AuthResult = { kind: 'unauthenticated', throttled: true };

let users: Map<string, KnownUser>;
/** The names of each query. */
let queries: string[][];
let failure: Error | undefined;
/** Stored hash and password of each slow hash, in order. */
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

const ok = (username: string, role = 'system'): AuthResult => ({
  kind: 'ok',
  username,
  role,
  confinement: null,
});

/** Resolves when everything is done that does not wait for a held hash. */
function idle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Finishes the slow hash in progress. */
async function releaseOne(): Promise<void> {
  release.shift()?.();
  await idle();
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

  test('remembers the credentials of an active switch for good, and others for an hour', async () => {
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

  test('refuses a password that is too long without hashing it', () => {
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
    const results = await Promise.all(Array.from({ length: 500 }, () => verifier.check('switch', 'right')));
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['ok']));
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
    const results = ['a', 'b', 'right'].map((password) => verifier.check('switch', password));
    await idle();
    expect(hashes).toHaveLength(1);
    await releaseOne();
    expect(hashes).toHaveLength(2);
    await releaseOne();
    await releaseOne();
    expect(await Promise.all(results)).toEqual([REFUSED, REFUSED, ok('switch')]);
  });

  test('against one user leave the others their turn', async () => {
    user('other', 'right too');
    isHeld = true;
    const flood = Array.from({ length: 50 }, (_, index) => verifier.check('switch', `guess ${index}`));
    await idle();
    const other = verifier.check('other', 'right too');
    await idle();
    await releaseOne();
    await releaseOne();
    expect(hashes.slice(0, 3).map(([, password]) => password)).toContain('right too');
    isHeld = false;
    for (const each of release.splice(0)) each();
    expect(await other).toEqual(ok('other'));
    await Promise.all(flood);
  });

  test('do not keep out a switch whose credentials are remembered', async () => {
    await verifier.check('switch', 'right');
    isHeld = true;
    const flood = Array.from({ length: 200 }, (_, index) => verifier.check('switch', `guess ${index}`));
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    isHeld = false;
    for (const each of release.splice(0)) each();
    await Promise.all(flood);
  });
});

describe('a flood of wrong credentials', () => {
  /** Runs `then` while all hashes are held and every place is taken by `flood`. */
  async function duringFlood(flood: () => void, then: () => Promise<void>): Promise<void> {
    isHeld = true;
    flood();
    await idle();
    await then();
    isHeld = false;
    for (const each of release.splice(0)) each();
    await idle();
  }

  const invented = (count: number) =>
    Array.from({ length: count }, (_, index) => verifier.checkSoon(`nobody ${index}`, 'guess'));
  const guessed = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => verifier.checkSoon(name, `guess ${index}`));

  test('with invented names waits in a few places and is refused at once beyond them', async () => {
    let flood: ReturnType<typeof invented> = [];
    await duringFlood(
      () => {
        flood = invented(3000);
      },
      async () => {
        expect(hashes).toHaveLength(1);
      },
    );
    const results = await Promise.all(flood);
    expect(results.every(({ kind }) => kind === 'unauthenticated')).toBe(true);
    expect(results.filter((result) => 'throttled' in result && result.throttled)).toHaveLength(2980);
    expect(hashes).toHaveLength(20);
  });

  test('with invented names leaves the next turn to a user who was never seen', async () => {
    let real: ReturnType<Verifier['checkSoon']> | undefined;
    await duringFlood(
      () => void invented(3000),
      async () => {
        real = verifier.checkSoon('switch', 'right');
        await idle();
        for (let turns = 0; turns < 3; turns += 1) await releaseOne();
        expect(hashes.map(([, password]) => password)).toContain('right');
      },
    );
    expect(await real).toEqual(ok('switch'));
  });

  test('with the name of a user whose password is known consists of guesses', async () => {
    await verifier.check('switch', 'right');
    let flood: ReturnType<typeof guessed> = [];
    await duringFlood(
      () => {
        flood = guessed('switch', 500);
      },
      async () => {
        expect(verifier.checkSoon('switch', 'right')).toEqual(ok('switch'));
        expect(verifier.checkSoon('nobody', 'guess')).toBeInstanceOf(Promise);
        await idle();
        expect(verifier.checkSoon('nobody', 'other')).toEqual(THROTTLED);
      },
    );
    const results = await Promise.all(flood);
    expect(results.filter((result) => 'throttled' in result && result.throttled)).toHaveLength(480);
  });

  test.each([
    ['an unknown name', 'nobody', () => undefined],
    ['a disabled user', 'gone', () => user('gone', 'right', { active: false })],
    ['a wrong password', 'switch', () => undefined],
  ])('answers %s at once when there are too many guesses, one like the other', async (_what, name, given) => {
    given();
    await verifier.check('switch', 'right');
    await verifier.check(name, 'warm up');
    await duringFlood(
      () => void invented(50),
      async () => expect(verifier.checkSoon(name, 'guess')).toEqual(THROTTLED),
    );
  });

  test('of one guess takes no more places than one of different guesses', async () => {
    await verifier.check('nobody', 'warm up');
    let flood: ReturnType<typeof guessed> = [];
    await duringFlood(
      () => {
        flood = Array.from({ length: 50 }, () => verifier.checkSoon('nobody', 'guess'));
      },
      async () => expect(flood.filter((result) => result instanceof Promise)).toHaveLength(20),
    );
    expect(hashes).toHaveLength(2);
  });

  test('leaves three quarters of the time to others, and a user gets a turn at once', async () => {
    const times: [password: string, at: number][] = [];
    const queue = new HashQueue(
      async (_, password) => {
        times.push([password, now]);
        now += 30;
        return password === 'right';
      },
      { guesses: 10, passwords: 10 },
      () => now,
    );
    const guesses = ['a', 'b', 'c'].map((guess) => queue.guess(guess, 'hash', guess));
    await guesses[0];
    await idle();
    expect(times).toEqual([['a', 0]]);
    expect(await queue.join('switch', 'key', 'hash', 'right')).toBe(true);
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
    queue.stop();
  });

  test('costs nothing if the same wrong credentials come again', async () => {
    await verifier.check('switch', 'wrong');
    await verifier.check('nobody', 'wrong');
    for (let again = 0; again < 1000; again += 1) {
      expect(verifier.checkSoon('switch', 'wrong')).toEqual(REFUSED);
      expect(verifier.checkSoon('nobody', 'wrong')).toEqual(REFUSED);
    }
    expect(hashes).toHaveLength(2);
  });

  test('against a user never seen refuses no password unchecked: what has no place is set aside', async () => {
    await verifier.check('switch', 'warm up');
    let flood: ReturnType<typeof guessed> = [];
    await duringFlood(
      () => {
        flood = guessed('switch', 100);
      },
      async () => {
        // One is being hashed, sixteen wait.
        expect(flood.filter((result) => result instanceof Promise)).toHaveLength(17);
        expect(flood.slice(17).every((result) => 'kind' in result && result.kind === 'set aside')).toBe(true);
        expect(verifier.checkSoon('switch', 'right')).toEqual({ kind: 'set aside' });
        // What was set aside is checked, however many wait.
        isHeld = false;
        const late = verifier.checkLate('switch', 'right');
        await releaseOne();
        expect(await late).toEqual(ok('switch'));
      },
    );
  });

  test('against a user never seen keeps places for a password that comes again', async () => {
    await verifier.check('switch', 'warm up');
    await duringFlood(
      () => void guessed('switch', 100),
      async () => {
        expect(verifier.checkSoon('switch', 'right')).toEqual({ kind: 'set aside' });
        for (let index = 0; index < 100; index += 1) verifier.checkSoon('switch', `other ${index}`);
        const again = verifier.checkSoon('switch', 'right');
        expect(again).toBeInstanceOf(Promise);
        isHeld = false;
        await releaseOne();
        expect(await again).toEqual(ok('switch'));
      },
    );
  });

  test('is refused without a hash if it was set aside and is bound to fail', async () => {
    await verifier.check('switch', 'right');
    await verifier.check('nobody', 'warm up');
    hashes = [];
    expect(verifier.checkLate('switch', 'guess')).toEqual(REFUSED);
    expect(verifier.checkLate('nobody', 'guess')).toEqual(REFUSED);
    expect(hashes).toEqual([]);
  });

  test('against a user never seen is overtaken by the password that comes again', async () => {
    await verifier.check('switch', 'warm up');
    await duringFlood(
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

  test('of repeated guesses does not keep a password that came once from its turn', async () => {
    await verifier.check('switch', 'warm up');
    await duringFlood(
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
        // Twice the places of a user.
        expect(turns).toBeLessThanOrEqual(64);
        isHeld = false;
        await releaseOne();
        expect(await once).toEqual(ok('switch'));
      },
    );
  });

  test('of many users never seen gives each of them one place, however many are taken', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `u${index}`);
    for (const name of names) {
      user(name, 'right');
      await verifier.check(name, 'warm up');
    }
    await duringFlood(
      () => {
        const flood = names.flatMap((name) => guessed(name, 2));
        expect(flood.filter((result) => result instanceof Promise)).toHaveLength(80);
      },
      async () => {
        user('late', 'right');
        const late = verifier.checkSoon('late', 'right');
        await idle();
        isHeld = false;
        for (const each of release.splice(0)) each();
        expect(await late).toEqual(ok('late'));
      },
    );
  });

  test('releases all places when it is over', async () => {
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([...invented(50), ...guessed('switch', 50)]);
      now += 20_000;
    }
    isHeld = true;
    const flood = invented(50);
    await idle();
    const results = flood.filter((result) => result instanceof Promise);
    isHeld = false;
    for (const each of release.splice(0)) each();
    expect(
      (await Promise.all(results)).filter((result) => !('throttled' in result && result.throttled)).length,
    ).toBe(20);
    expect(await verifier.checkSoon('switch', 'right')).toEqual(ok('switch'));
  });

  test('of more names than are remembered evicts no user', async () => {
    await verifier.check('switch', 'right');
    await Promise.all(invented(500));
    queries = [];
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    expect(queries).toEqual([]);
  });

  test('with a name that is too long is refused without a query', () => {
    expect(verifier.checkSoon('n'.repeat(60_000), 'guess')).toEqual(REFUSED);
    expect([queries, hashes]).toEqual([[], []]);
  });
});

describe('a change in the database', () => {
  test('of a password takes effect with the next refresh, in both directions', async () => {
    await verifier.check('switch', 'right');
    await verifier.check('switch', 'new');
    user('switch', 'new');
    await verifier.refresh();
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
    expect(await verifier.check('switch', 'new')).toEqual(ok('switch'));
  });

  test('of a role takes effect with the next refresh, without a hash', async () => {
    await verifier.check('switch', 'right');
    user('switch', 'right', { role: 'viewer' });
    await verifier.refresh();
    expect(verifier.check('switch', 'right')).toEqual(ok('switch', 'viewer'));
  });

  test('of a confinement takes effect with the next refresh, without a hash', async () => {
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

  test('of a user who is enabled again takes effect with the next refresh', async () => {
    user('switch', 'right', { active: false });
    await verifier.check('switch', 'right');
    user('switch', 'right');
    await verifier.refresh();
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
  });

  test('takes effect within 50 s even if nothing is refreshed', async () => {
    await verifier.check('switch', 'right');
    user('switch', 'right', { active: false });
    now = 49_999;
    expect(verifier.check('switch', 'right')).toEqual(ok('switch'));
    now = 50_000;
    expect(await verifier.check('switch', 'right')).toEqual(REFUSED);
  });

  test('that creates a user takes effect within ten seconds', async () => {
    expect(await verifier.check('new', 'right')).toEqual(REFUSED);
    user('new', 'right');
    now = 9999;
    expect(verifier.check('new', 'right')).toEqual(REFUSED);
    now = 10_000;
    expect(await verifier.check('new', 'right')).toEqual(ok('new'));
  });

  test('is found by one query of all known users', async () => {
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
  test('is no result: the check rejects with its error', async () => {
    failure = new Error('the database is down');
    await expect(verifier.check('switch', 'right')).rejects.toBe(failure);
    failure = undefined;
    expect(await verifier.check('switch', 'right')).toEqual(ok('switch'));
  });

  test('leaves remembered credentials valid for 50 s, then checks wait for it', async () => {
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
  const results = await Promise.allSettled([
    broken.check('switch', 'breaks'),
    broken.check('switch', 'right'),
  ]);
  expect(results).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: ok('switch') }]);
  broken.stop();
});

test.each([
  [1, 65_536, 1, 1],
  [400, 65_536, 7, 25],
  [1500, 16_384, 24, 94],
  [20_000, 1024, 313, 1250],
  // 4 MiB of messages each, of 32 MiB that may be in flight.
  [20_000, 65_536, 64, 64],
  [1500, 262_144, 16, 16],
  [1500, 16_777_216, 1, 1],
])(
  'a prefetch of %i messages of %i bytes has %i places for guesses and %i for passwords',
  (prefetch, bytes, guesses, passwords) => {
    expect(hashPlaces(prefetch, bytes)).toEqual({ guesses, passwords });
  },
);

test('an unusable stored hash is reported once, with its user', async () => {
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
