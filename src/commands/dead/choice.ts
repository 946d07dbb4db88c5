import { ConfigError } from '../../config.ts';

/** One of the words that an option takes. Throws ConfigError for any other. */
export function chosen<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw new ConfigError(`--${option}: expected one of ${words.join(', ')}, got ${JSON.stringify(text)}`);
}
