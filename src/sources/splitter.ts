/** The text of one record of a file and the line, counted from 1, that it begins in. */
export interface RecordText {
  line: number;
  text: string;
}

/** Takes a file line by line, without their line feeds, and gives its records as they are complete. */
export interface Splitter {
  /** @param isEnd the line ends with this text; only JSON may come in parts of lines. True if left out */
  take(text: string, isEnd?: boolean): RecordText[];
  /** What is left at the end of the file. Throws CutOffError. */
  end(): RecordText[];
}

/** A file that ends where more must follow. */
export class CutOffError extends Error {}

/** Characters that a record may have before it is taken to be broken: an open quote would else take the rest of the file. */
export const RECORD_MAX = 1_048_576;
