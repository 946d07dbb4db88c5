/** The text of one record of a file and the line, counted from 1, that it begins in. */
export interface RecordText {
  line: number;
  text: string;
}

/** Takes a file line by line, without their ends, and gives its records as they are complete. */
export interface Splitter {
  take(line: string): RecordText[];
  /** What is left at the end of the file. */
  end(): RecordText[];
}

/** Characters that a record may have before it is taken to be broken: an open quote would else take the rest of the file. */
export const RECORD_MAX = 1_048_576;
