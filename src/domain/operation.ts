/** What a message of the contract's exchange asks for, by its routing key (docs/interface.md, sections 2 and 9). */
export const operations = ['create', 'update', 'void'] as const;
export type Operation = (typeof operations)[number];

const corrections = operations
  .filter((operation) => operation !== 'create')
  .map((operation) => ({ operation, key: `cdrs.${operation}`, prefix: `cdrs.${operation}.` }));

/** What a routing key asks for: `cdrs.update`, `cdrs.update.<machine>`. Everything else is a call. */
export function operationOf(routingKey: string): Operation {
  for (const { operation, key, prefix } of corrections)
    if (routingKey === key || routingKey.startsWith(prefix)) return operation;
  return 'create';
}
