import { hash } from 'node:crypto';

/** The header with which a replay names its dead letter. It replaces credentials. */
export const REPLAY_HEADER = 'cdrs-replay';

/** Admits one message without credentials, once: its dead letter, the attempt, and a one-time token. */
export interface ReplayHeader {
  /** Id of the row, in digits: a 64-bit number. */
  deadLetter: string;
  attempt: number;
  /** 256 random bits, base64url. */
  token: string;
}

const FORM = /^(\d{1,18})\.(\d{1,9})\.([\w-]{43})$/;

export function writeReplayHeader({ deadLetter, attempt, token }: ReplayHeader): string {
  return `${deadLetter}.${attempt}.${token}`;
}

/** Null for anything else that a producer may have put there. */
export function readReplayHeader(header: unknown): ReplayHeader | null {
  const [, deadLetter, attempt, token] = typeof header === 'string' ? (FORM.exec(header) ?? []) : [];
  if (deadLetter === undefined || attempt === undefined || token === undefined) return null;
  return { deadLetter, attempt: Number(attempt), token };
}

/**
 * SHA-256 (hex) of a token and the body that it was made for. Only this is stored, and a token that was overheard admits
 * no other call.
 */
export function tokenHashOf(token: string, body: Buffer): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${token}\n`), body]), 'hex');
}
