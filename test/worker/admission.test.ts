import { describe, expect, it } from 'vitest';
import type { AuthResult } from '../../src/auth/verifier.ts';
import { isOutside } from '../../src/domain/confinement.ts';
import { admitSoon, type Verify } from '../../src/worker/admission.ts';
import { admitBytes, answersOf, answerTo, CALL, RULES, requestOf, verify } from '../domain/admitting.ts';

describe('a sender', () => {
  const wrong = { start: null, zebra: 1 };

  it('who is unknown is told so before anything about the call', async () => {
    expect(await answerTo({ auth_password: 'wrong' })).toEqual(['401']);
    expect(await answerTo({ auth_password: 'wrong', ...wrong })).toEqual(['401']);
  });

  it('who may not submit calls is told so before anything about the call', async () => {
    expect(await answerTo({ auth_username: 'viewer' })).toEqual(['402']);
    expect(await answerTo({ auth_username: 'viewer', ...wrong })).toEqual(['402']);
  });

  it('who is known is told what is wrong with the call', async () => {
    expect(await answerTo(wrong)).toEqual(['400 start', '400 zebra']);
  });

  it.each([
    ['right', '400 note'],
    ['wrong', '401'],
  ])('is judged before a parameter that stands twice: the password is %s', async (password, answer) => {
    const call = JSON.stringify({ ...CALL, auth_password: password, note: 'first' }).slice(0, -1);
    const admitted = await admitBytes(Buffer.from(`${call},"note":"second"}`));
    expect(answersOf(admitted)).toEqual([answer]);
    expect(admitted.deadLetter().body).toMatch(/first.*second/);
    expect(admitted.deadLetter().body).not.toContain(password);
  });

  it.each(['auth_username', 'auth_password'])('who gives %s twice is told so', async (name) => {
    const call = JSON.stringify(CALL).slice(0, -1);
    expect(answersOf(await admitBytes(Buffer.from(`${call},"${name}":"right"}`)))).toEqual([`400 ${name}`]);
  });

  it.each(['auth_username', 'auth_password'])('without %s is told that it is missing', async (name) => {
    for (const value of [undefined, '', null, true, [], {}, 1.5]) {
      expect(await answerTo({ [name]: value })).toEqual([`400 ${name}`]);
      expect(await answerTo({ [name]: value, ...wrong })).toEqual([`400 ${name}`, '400 start', '400 zebra']);
    }
  });

  it('may have a number for a name or a password', async () => {
    const asked: string[] = [];
    const rules = {
      verify: (username: string, password: string): AuthResult => {
        asked.push(username, password);
        return { kind: 'ok', username, role: 'system' };
      },
    };
    expect(await answerTo({ auth_username: 7, auth_password: 8 }, rules)).toEqual(['call']);
    expect(asked).toEqual(['7', '8']);
  });

  it('is who the verifier says, not who the message says', async () => {
    const rules = { verify: (): AuthResult => ({ kind: 'ok', username: 'known', role: 'system' }) };
    const admitted = await admitBytes(Buffer.from(JSON.stringify(CALL)), null, rules);
    expect(admitted).toMatchObject({ call: { submittedBy: 'known' } });
  });

  it('may be verified at once or later, to the same end', async () => {
    for (const more of [{}, { auth_username: 'viewer' }, { auth_password: 'wrong' }, wrong]) {
      const later = { verify: async (username: string, password: string) => verify(username, password) };
      expect(await answerTo(more, later)).toEqual(await answerTo(more));
    }
  });

  describe('confined to machines and customers', () => {
    const confined = (machines: string[] | null, customers: number[] | null) => ({
      verify: (username: string): AuthResult => ({
        kind: 'ok',
        username,
        role: 'system',
        confinement: { machines: machines && new Set(machines), customers: customers && new Set(customers) },
      }),
    });
    const isOutsideOf = async (more: Record<string, unknown>, rules: { verify: Verify }) => {
      const admitted = await admitBytes(Buffer.from(JSON.stringify({ ...CALL, ...more })), null, rules);
      if (admitted.kind !== 'call') return answersOf(admitted);
      const { confinement, cdr } = admitted.call;
      return confinement && isOutside(confinement, cdr);
    };

    it.each([
      [confined(['m'], null), false],
      [confined(['1', 'm'], [7]), false],
      [confined(null, [7, 8]), false],
      [confined(['n'], null), true],
      [confined(['m'], [8]), true],
      [confined(['n'], [7]), true],
      [confined([], null), true],
      [confined(null, []), true],
    ])('has its calls looked at, and nothing is everything (%#)', async (rules, expected) => {
      expect(await isOutsideOf({ machine: 'm', scustomer: 7 }, rules)).toBe(expected);
      expect(await isOutsideOf({ machine: 'm', scustomer: '7', validation: 1 }, rules)).toBe(expected);
    });

    it('may send a machine as a number', async () => {
      expect(await isOutsideOf({ machine: 1 }, confined(['1'], null))).toBe(false);
      expect(await isOutsideOf({ machine: 2 }, confined(['1'], null))).toBe(true);
    });

    it('is told that a call is outside before anything that is wrong with it', async () => {
      expect(await answerTo({ machine: 'n', ...wrong }, confined(['m'], null))).toEqual(['402']);
      expect(await answerTo({ scustomer: 8, ...wrong }, confined(null, [7]))).toEqual(['402']);
      expect(await answerTo({ machine: 'm', scustomer: 8, ...wrong }, confined(['m'], [7]))).toEqual(['402']);
      expect(await answerTo({ machine: '', scustomer: 8 }, confined(['m'], [7]))).toEqual(['402']);
    });

    it('is told what is wrong with machine and customer where they cannot be read', async () => {
      expect(await answerTo({ machine: '' }, confined(['m'], null))).toEqual(['400 machine']);
      expect(await answerTo({ machine: ['m'], scustomer: 7 }, confined(['m'], [7]))).toEqual(['400 machine']);
      expect(await answerTo({ machine: 'm', scustomer: '07' }, confined(['m'], [7]))).toEqual([
        '400 scustomer',
      ]);
      expect(await answerTo({ scustomer: 1.5 }, confined(null, []))).toEqual(['400 scustomer']);
    });

    it('is told what is wrong with a call that is inside', async () => {
      expect(await answerTo({ machine: 'm', scustomer: 7, ...wrong }, confined(['m'], [7]))).toEqual([
        '400 start',
        '400 zebra',
      ]);
    });
  });

  it('whose password cannot be checked soon has its message set aside, at once or later', async () => {
    const request = requestOf(Buffer.from(JSON.stringify(CALL)));
    const aside = { kind: 'set aside' as const };
    expect(await admitSoon(request, { ...RULES, verifySoon: () => aside })).toEqual(aside);
    expect(await admitSoon(request, { ...RULES, verifySoon: async () => aside })).toEqual(aside);
    expect(
      await admitSoon(request, { ...RULES, verifySoon: async () => verify('a', 'right') }),
    ).toMatchObject({ kind: 'call' });
  });

  it('who cannot be verified gets no answer: the message waits', async () => {
    const down = { verify: () => Promise.reject(new Error('database is down')) };
    await expect(answerTo({}, down)).rejects.toThrow('database is down');
  });
});

describe('an admitted message', () => {
  const admitCall = (more: Record<string, unknown>) =>
    admitBytes(Buffer.from(JSON.stringify({ ...CALL, ...more })));

  it('has its call, complete, without credentials', async () => {
    const admitted = await admitCall({ end: 160 });
    expect(admitted.uniqueid).toBe('a');
    expect(admitted).toMatchObject({
      kind: 'call',
      call: { cdr: { uniqueid: 'a', talktime: 60, callid: 'a', currency: 'USD' }, validationOnly: false },
    });
    expect(JSON.stringify(admitted)).not.toContain('right');
  });

  it.each([
    [1, true],
    ['1', true],
    [0, false],
    ['0', false],
    ['', false],
  ])('with validation %j is a validation request: %s', async (validation, asked) => {
    expect(await admitCall({ validation })).toMatchObject({ call: { validationOnly: asked } });
    expect(await admitCall({ validation, start: null })).toMatchObject({ validationOnly: asked });
    expect(await admitCall({ validation, auth_password: 'x' })).toMatchObject({
      validationOnly: asked,
    });
  });

  it('that is refused says its uniqueid where it can be read', async () => {
    expect((await admitCall({ start: null })).uniqueid).toBe('a');
    expect((await admitCall({ auth_password: 'x', uniqueid: 7 })).uniqueid).toBe('7');
    expect((await admitCall({ uniqueid: ['a'] })).uniqueid).toBeNull();
    expect((await admitBytes(Buffer.from('{'))).uniqueid).toBeNull();
  });

  it('counts the texts in which something was replaced or cut', async () => {
    expect((await admitCall({ sname: 'a\0', note: 'b' })).cleaned).toBe(1);
  });

  it('may have the parameters that the operator said to ignore', async () => {
    expect(await answerTo({ zebra: { stripes: [1] } })).toEqual(['400 zebra']);
    expect(await answerTo({ zebra: { stripes: [1] } }, { ignored: new Set(['zebra']) })).toEqual(['call']);
  });
});
