import type { OldRows } from '../old-rows.ts';
import { statement } from '../sql.ts';

const REMOVED_AT_ONCE = 5000;

/** Orders by when they were answered; one without an answer may still be on its way. What they booked stays. */
export const oldOrders: OldRows = {
  atOnce: REMOVED_AT_ONCE,
  remove: statement(
    'calls.prune-orders',
    `with old as materialized (
      select id from correction_orders where answered_at < $1 order by id limit ${REMOVED_AT_ONCE}),
    gone as (delete from correction_orders o using old where o.id = old.id returning o.id)
    select count(*)::int as count from gone`,
  ),
  count: statement(
    'calls.count-prunable-orders',
    'select count(*)::int as count from correction_orders where answered_at < $1',
  ),
};
