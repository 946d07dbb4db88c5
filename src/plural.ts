import plur from 'plur';

/** A number with its noun: "1 death", "2 deaths". */
export function counted(count: number, noun: string): string {
  return `${count} ${plur(noun, count)}`;
}
