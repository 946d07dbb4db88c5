import { readCorrectionHeader } from '../domain/correction-header.ts';
import { tokenHashOf } from '../domain/replay-header.ts';
import { admitVouched, refuseUnvouched } from './admission.ts';
import { type Admitted, operationFor, type ReadingRules } from './refusal.ts';
import type { Request } from './request.ts';

/**
 * A correction that an operator has ordered. The one-time token in its header stands in place of credentials; whether it is
 * genuine is found when it is persisted (`store/persist/corrections-orders.ts`). A header of another form is no credential at all.
 */
export function admitOrder(request: Request, header: unknown, rules: ReadingRules): Admitted {
  const order = readCorrectionHeader(header);
  const operation = operationFor(request);
  if (order === null || operation === 'create') return refuseUnvouched(request, rules);
  const { order: id, token } = order;
  // The order's id is that of its entry, whatever the message says.
  const properties = { ...request.properties, messageId: id };
  const admitted = admitVouched({ ...request, properties }, rules);
  return { ...admitted, order: { id, operation, tokenHash: tokenHashOf(token, request.body) } };
}
