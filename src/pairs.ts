/**
 * Combines each element of one list with the one at the same place in the other. Throws where the lists differ in length or
 * an element is missing: without it, messages would get their neighbours' answers.
 */
export function mapPairs<Left, Right, Result>(
  left: readonly Left[],
  right: readonly (Right | undefined)[],
  combine: (left: Left, right: Right) => Result,
): Result[] {
  if (left.length !== right.length) throw new Error(`${right.length} answers to ${left.length} questions`);
  return left.map((one, place) => {
    const other = right[place];
    if (other === undefined) throw new Error(`no answer to question ${place + 1} of ${left.length}`);
    return combine(one, other);
  });
}

/** The same as a list of pairs. */
export function pairs<Left, Right>(
  left: readonly Left[],
  right: readonly (Right | undefined)[],
): [Left, Right][] {
  return mapPairs(left, right, (one, other) => [one, other]);
}

/** The answer to each question, in the order of the questions, whatever the order in which they were found. Throws where one is missing. */
export function answersInOrder<Question, Answer>(
  questions: readonly Question[],
  answers: ReadonlyMap<Question, Answer>,
): Answer[] {
  const inOrder = questions.map((question) => answers.get(question));
  return mapPairs(questions, inOrder, (_, answer) => answer);
}
