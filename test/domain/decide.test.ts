import { describe, expect, it } from 'vitest';
import { type Cdr, fingerprint } from '../../src/domain/cdr.ts';
import { type Call, type CallOnRecord, compare, type Decision, decide } from '../../src/domain/decide.ts';
import { call, references } from './references.ts';

function submit(more: Partial<Cdr> = {}, validationOnly = false): Call {
  const cdr = call(more);
  return { cdr, fingerprint: fingerprint(cdr), validationOnly, submittedBy: 'switch' };
}

const ask = (more: Partial<Cdr> = {}) => submit(more, true);
const onRecord = (more: Partial<Cdr> = {}): CallOnRecord => ({ cdr: call(more), source: null });
const print = (more: Partial<Cdr> = {}) => fingerprint(call(more));

function outcomes(calls: Call[], stored: [string, string][] = []): string[] {
  return decide(calls, new Map(stored), references()).map(nameOf);
}

function nameOf(decision: Decision): string {
  return decision.kind === 'answer' ? decision.outcome.kind : decision.kind;
}

describe('of the calls of a batch', () => {
  it('each with a uniqueid of its own is stored', () => {
    expect(outcomes([submit(), submit({ uniqueid: 'b' })])).toEqual(['store', 'store']);
  });

  it('the first with a uniqueid is stored, the same again is a duplicate, another one is measured against it', () => {
    const calls = [submit(), submit(), submit({ note: 'x' }), submit()];
    expect(outcomes(calls)).toEqual(['store', 'duplicate', 'compare', 'duplicate']);
  });

  it('one that was refused leaves its uniqueid to the next', () => {
    expect(outcomes([submit({ peer: 99 }), submit(), submit({ peer: 99 })])).toEqual([
      'rejected',
      'store',
      'compare',
    ]);
  });

  it('one that only asks leaves its uniqueid to the next', () => {
    expect(outcomes([ask(), submit(), ask(), ask({ note: 'x' })])).toEqual([
      'validated',
      'store',
      'validated',
      'compare',
    ]);
  });
});

describe('a call whose uniqueid is stored', () => {
  const gone: Partial<Cdr> = { scustomer: 99, peer: 99, currency: 'XXX', taxes: 'gone', invoice: 13 };

  it('is a duplicate by what is stored, before any reference is looked at', () => {
    expect(outcomes([submit(gone)], [['a', print(gone)]])).toEqual(['duplicate']);
    expect(outcomes([ask(gone)], [['a', print(gone)]])).toEqual(['validated']);
  });

  it('is measured against what is stored where it differs, before any reference is looked at', () => {
    expect(outcomes([submit(gone)], [['a', print()]])).toEqual(['compare']);
  });

  it('is a conflict where anything differs, asked or submitted', () => {
    const differences = [{ parameter: 'note', stored: '', received: 'x' }];
    expect(compare(onRecord(), submit({ note: 'x' }))).toEqual({ kind: 'conflict', differences });
    expect(compare(onRecord(), ask({ note: 'x' }))).toEqual({ kind: 'conflict', differences });
  });

  it('tells a sender who is confined to others nothing of it', () => {
    const differences = [{ parameter: 'note', stored: '', received: 'x' }];
    const confined = (customers: number[]): Call => ({
      ...submit({ note: 'x' }),
      confinement: { machines: null, customers: new Set(customers) },
    });
    const { scustomer } = call();
    expect(compare(onRecord(), confined([scustomer]))).toEqual({ kind: 'conflict', differences });
    expect(compare(onRecord(), confined([scustomer + 1]))).toEqual({
      kind: 'conflict',
      differences,
      isForeign: true,
    });
  });

  it('is the same call where nothing differs but its fingerprint, as after a change of the computation', () => {
    expect(compare(onRecord(), submit())).toEqual({ kind: 'duplicate' });
    expect(compare(onRecord({ taxes: '1,2' }), ask({ taxes: '2,1' }))).toEqual({ kind: 'validated' });
  });
});

describe('a call outside of what its sender is confined to', () => {
  const outside = (more: Partial<Cdr> = {}, validationOnly = false) => ({
    ...submit(more, validationOnly),
    confinement: { machines: new Set<string>(), customers: null },
  });

  it('is forbidden, asked or submitted, before any reference is looked at', () => {
    expect(outcomes([outside(), outside({ peer: 99 }), outside({}, true)])).toEqual([
      'forbidden',
      'forbidden',
      'forbidden',
    ]);
  });

  it('is answered from what is stored, as it was before the confinement changed', () => {
    expect(outcomes([outside(), outside({}, true), outside({ note: 'x' })], [['a', print()]])).toEqual([
      'duplicate',
      'validated',
      'compare',
    ]);
  });

  it('leaves its uniqueid to the next', () => {
    expect(outcomes([outside(), submit(), outside()])).toEqual(['forbidden', 'store', 'duplicate']);
  });
});

describe('a call that only asks', () => {
  it('is refused for what a submitted one would be refused for', () => {
    const [decision] = decide([ask({ dcustomer: 99, peer: 99 })], new Map(), references());
    expect(decision).toMatchObject({
      outcome: { kind: 'rejected', errors: [{ key: 'dcustomer' }, { key: 'peer' }] },
    });
  });
});
