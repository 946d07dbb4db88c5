/** A string of its own: one that was cut out of a body would keep all of it alive for as long as it is remembered. */
export function copied(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
