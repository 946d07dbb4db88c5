import { Failure } from './failure.ts';
import type { FieldReader, NativeRecord } from './native.ts';

/** The field that counts the records of a feed. */
export interface SequenceField {
  /** As messages name it. */
  field: string;
  read: FieldReader;
}

const DIGITS = /^\d{1,19}$/;
/** One less than PostgreSQL's bigint holds, so that there is a number after it. */
const LARGEST = 2n ** 63n - 2n;

/** The number of a record; null where it has none that can be read, which is never an error of its call. */
export function sequenceIn(field: SequenceField | null, record: NativeRecord): bigint | null {
  const text = field?.read(record);
  if (text === undefined || text instanceof Failure || !DIGITS.test(text)) return null;
  const number = BigInt(text);
  return number <= LARGEST ? number : null;
}
