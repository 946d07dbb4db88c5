/**
 * A copy that owns its memory. V8 makes a text cut out of a body a view that keeps the whole body in memory.
 */
export function copied(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
