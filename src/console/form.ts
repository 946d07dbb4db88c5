import type { IncomingMessage } from 'node:http';

export type SentForm = { kind: 'form'; form: URLSearchParams } | { kind: 'refused'; status: 413 | 415 };

const FORM_BYTES = 65_536;

/** Reads the form in a request, unless its type or size is wrong. Rejects if the request breaks off. */
export async function readForm(request: IncomingMessage): Promise<SentForm> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') return { kind: 'refused', status: 415 };
  if (Number(request.headers['content-length'] ?? 0) > FORM_BYTES) return { kind: 'refused', status: 413 };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > FORM_BYTES) return { kind: 'refused', status: 413 };
    chunks.push(chunk);
  }
  return { kind: 'form', form: new URLSearchParams(Buffer.concat(chunks).toString('utf8')) };
}
