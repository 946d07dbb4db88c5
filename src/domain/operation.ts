/** What a message of the contract's exchange asks for, by its routing key (docs/interface.md, sections 2 and 9). */
export const operations = ['create', 'update', 'void'] as const;
export type Operation = (typeof operations)[number];

/** What a routing key asks for: `cdrs.update`, `cdrs.update.<machine>`. Everything else is a call. */
export function operationOf(routingKey: string): Operation {
  const [cdrs, word] = routingKey.split('.', 2);
  return (cdrs === 'cdrs' && operations.find((operation) => operation === word)) || 'create';
}
