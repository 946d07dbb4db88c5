/**
 * Each element of one list with the one at the same place in the other. Throws where the lists differ in length or an element
 * is missing: without it, its neighbours would get each other's answers.
 */
export function pairs<Left, Right>(
  left: readonly Left[],
  right: readonly (Right | undefined)[],
): [Left, Right][] {
  if (left.length !== right.length) throw new Error(`${right.length} answers to ${left.length} questions`);
  return left.map((one, place) => {
    const other = right[place];
    if (other === undefined) throw new Error(`no answer to question ${place + 1} of ${left.length}`);
    return [one, other];
  });
}
