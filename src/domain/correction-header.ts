/** The header with which a correction names the order of an operator. It replaces credentials. */
export const CORRECTION_HEADER = 'cdrs-correction';

/** Admits one message without credentials, once: its order and a one-time token. */
export interface CorrectionHeader {
  /** Id of the order: a UUID. */
  order: string;
  /** 256 random bits, base64url. */
  token: string;
}

const FORM = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([\w-]{43})$/;

export function writeCorrectionHeader({ order, token }: CorrectionHeader): string {
  return `${order}.${token}`;
}

/** Null for anything else that a producer may have put there. */
export function readCorrectionHeader(header: unknown): CorrectionHeader | null {
  const [, order, token] = typeof header === 'string' ? (FORM.exec(header) ?? []) : [];
  return order === undefined || token === undefined ? null : { order, token };
}
