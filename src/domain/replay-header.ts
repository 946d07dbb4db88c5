import { hash } from 'node:crypto';

/** The header in which a replay says which dead letter it is; it stands in place of credentials. */
export const REPLAY_HEADER = 'cdrs-replay';

/** What lets one message in without credentials, once: the row, the attempt, and a secret that only it carries. */
export interface ReplayHeader {
  /** Of the row, in digits: a 64-bit number. */
  deadLetter: string;
  attempt: number;
  /** 256 random bits, base64url. */
  token: string;
}

const FORM = /^(\d{1,18})\.(\d{1,9})\.([\w-]{43})$/;

export function writeReplayHeader({ deadLetter, attempt, token }: ReplayHeader): string {
  return `${deadLetter}.${attempt}.${token}`;
}

/** Null for whatever else a producer may have put there. */
export function readReplayHeader(header: unknown): ReplayHeader | null {
  const [, deadLetter, attempt, token] = typeof header === 'string' ? (FORM.exec(header) ?? []) : [];
  if (deadLetter === undefined || attempt === undefined || token === undefined) return null;
  return { deadLetter, attempt: Number(attempt), token };
}

/**
 * SHA-256 (hex) of a token and the body that it was made for: all that is stored of it. A token that was
 * overheard lets no other call in.
 */
export function tokenHashOf(token: string, body: Buffer): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${token}\n`), body]), 'hex');
}
