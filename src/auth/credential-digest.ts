import { hash, randomBytes } from 'node:crypto';

const KEY_BYTES = 32;
const LENGTH_BYTES = 4;
/** Most bytes in UTF-8 for a unit of UTF-16. */
const BYTES_PER_UNIT = 3;
/** For names, passwords and hashes of ordinary length. */
const ROOM = 1024;

/**
 * SHA-256 of credentials behind a random key of its own. It never leaves the process, so an HMAC, at four times the cost, would
 * add nothing. What is hashed is written into the same bytes each time, and wiped out: a text made of it for each message would
 * be garbage at once.
 */
export class CredentialDigest {
  readonly #key = randomBytes(KEY_BYTES);
  #bytes = this.#withRoom(ROOM);

  of(username: string, password: string, storedHash: string): string {
    const most = (username.length + password.length + storedHash.length) * BYTES_PER_UNIT + 3 * LENGTH_BYTES;
    if (KEY_BYTES + most > this.#bytes.length) this.#bytes = this.#withRoom(most);
    let end = this.#add(KEY_BYTES, username);
    end = this.#add(end, password);
    end = this.#add(end, storedHash);
    const digest = hash('sha256', this.#bytes.subarray(0, end), 'base64');
    this.#bytes.fill(0, KEY_BYTES, end);
    return digest;
  }

  #withRoom(bytes: number): Buffer {
    return Buffer.concat([this.#key], KEY_BYTES + bytes);
  }

  /** With its length before it: no other credentials make the same bytes. Returns where it ends. */
  #add(start: number, text: string): number {
    const length = this.#bytes.write(text, start + LENGTH_BYTES);
    this.#bytes.writeUInt32BE(length, start);
    return start + LENGTH_BYTES + length;
  }
}
