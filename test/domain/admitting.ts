import type { AuthResult } from '../../src/auth/verifier.ts';
import { responsesTo } from '../../src/domain/reply.ts';
import type { Submission } from '../../src/domain/submission.ts';
import { type AdmissionRules, type Admitted, admit } from '../../src/worker/admission.ts';
import type { Request } from '../../src/worker/request.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

export const MAX_BYTES = 1000;
export const CALL = {
  auth_username: 'switch',
  auth_password: 'right',
  uniqueid: 'a',
  machine: '1',
  start: 100,
  scustomer: 1,
};

export function verify(username: string, password: string): AuthResult {
  if (password !== 'right') return { kind: 'unauthenticated' };
  return { kind: 'ok', username, role: username === 'viewer' ? 'viewer' : 'system' };
}

export const RULES: AdmissionRules = {
  maxBodyBytes: MAX_BYTES,
  keptBodyBytes: 4096,
  ignored: new Set(),
  systemCurrency: 'USD',
  verify,
};

export async function admitBytes(
  body: Buffer,
  contentType: string | null = null,
  rules: Partial<AdmissionRules> = {},
  bytes = body.length,
): Promise<Admitted> {
  return await admit(requestOf(body, contentType, bytes), { ...RULES, ...rules });
}

export function requestOf(body: Buffer, contentType: string | null = null, bytes = body.length): Request {
  return { body, bytes, properties: { ...NO_PROPERTIES, contentType } };
}

/** What a call with these parameters beside the least is answered with: "code key", or "call". */
export async function answerTo(
  more: Record<string, unknown>,
  rules: Partial<AdmissionRules> = {},
): Promise<string[]> {
  return answersOf(await admitBytes(Buffer.from(JSON.stringify({ ...CALL, ...more })), null, rules));
}

export function answersOf(admitted: Submission): string[] {
  if (admitted.kind !== 'decided') return [admitted.kind];
  return responsesTo(admitted.outcome).map(({ code, key }) => `${code} ${key}`.trim());
}

export function messageOf(admitted: Submission): string {
  return admitted.kind !== 'decided' ? '' : (responsesTo(admitted.outcome)[0]?.message ?? '');
}
