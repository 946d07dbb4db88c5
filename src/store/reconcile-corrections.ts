import { convertSql } from '../domain/money.ts';
import { amountsDue, type Claim } from './claims.ts';

/** The place of each entry in the line of its call. Unique keys hold most of it, as long as nobody drops them. */
export const CORRECTIONS: Claim = {
  name: 'corrections',
  claim: 'each correction follows its call, or another correction of it, that no other follows',
  rows: `
    select e.id as correction, e.uniqueid, e.uniqueid as uniqueid_due,
      e.follows, case when e.follows = '' then call.id else before.id end as follows_due,
      e.late_entry, case when e.late_entry = '' then call.id else late.id end as late_entry_due,
      count(*) over (partition by e.uniqueid, e.follows) as followers, 1 as followers_due,
      count(e.late_entry) over (partition by e.uniqueid, e.late_entry) as takers,
      case when e.late_entry is null then 0 else 1 end as takers_due
    from corrections e
    left join lateral (select '' as id from known_calls k where k.uniqueid = e.uniqueid limit 1) as call on true
    left join corrections before on before.id = e.follows and before.uniqueid = e.uniqueid
    left join corrections late on late.id = e.late_entry and late.uniqueid = e.uniqueid`,
  key: 'correction',
  columns: ['uniqueid', 'follows', 'late_entry', 'followers', 'takers'],
};

/**
 * What is in force of each call that has entries, after the call itself (id '') and after each of them: whose balance it counts on,
 * what was charged, where it stands on an invoice, or that it is late. Of a pruned call everything is null: what it was
 * charged is only in the sums.
 */
const IN_FORCE = `
  in_force as (
    select touched.uniqueid, '' as id, false as is_reversed,
      c.scustomer as customer, c.charged::numeric, c.update_balance::int as calls,
      c.cost::numeric, c.tax::numeric, c.currency::text,
      case when c.update_invoices = 1 then c.invoice end as invoice, c.invoice_currency::text,
      c.invoice_cost::numeric, c.invoice_tax::numeric,
      case when c.update_invoices = 1 and c.invoice is null then '' end as late_entry
    from (select distinct uniqueid from corrections) as touched left join cdrs c using (uniqueid)
    union all
    select e.uniqueid, e.id, e.kind = 'reversing' or s.is_reversed and not does.replace,
      case when does.replace then e.customer else s.customer end,
      case when e.kind = 'reversing' then 0 when does.replace then e.charged else s.charged end,
      case when e.kind = 'reversing' then 0 when does.replace then e.calls else s.calls end,
      case when e.kind = 'reversing' then 0 when does.replace then e.cost else s.cost end,
      case when e.kind = 'reversing' then 0 when does.replace then e.tax else s.tax end,
      case when does.replace then e.currency::text else s.currency end,
      case when e.kind = 'reversing' then null when does.replace or does.attach then e.invoice else s.invoice end,
      case when does.replace or does.attach then e.invoice_currency::text else s.invoice_currency end,
      case when e.kind = 'reversing' then 0 when does.replace or does.attach then e.invoice_cost
        else s.invoice_cost end,
      case when e.kind = 'reversing' then 0 when does.replace or does.attach then e.invoice_tax else s.invoice_tax end,
      case when e.kind = 'reversing' or does.attach then null
        when does.replace then case when e.late then e.id end else s.late_entry end
    from in_force s join corrections e on e.uniqueid = s.uniqueid and e.follows = s.id
    -- A new entry replaces amounts that were reversed before; without that it changes what moves no money.
    cross join lateral (select e.kind = 'new' and s.is_reversed as replace,
      e.kind = 'attaching' and e.late_entry = s.late_entry as attach) as does)`;

const due = amountsDue('e');
const attached = (amount: 'cost' | 'tax') => convertSql(`e.${amount}`, 'e.currency_rate', 'e.invoice_rate');

/** SQL by kind of entry: what takes back, what puts on an invoice, what charges anew, what changes no money. */
const byKind = (reversing: string, attaching: string, replacing: string, changing: string) => `
      case when e.kind = 'reversing' then ${reversing} when e.kind = 'attaching' then ${attaching}
        when s.is_reversed then ${replacing} else ${changing} end`;

/** The amount that an entry takes back; of a pruned call nobody knows it any more. */
const minus = (column: string) => `coalesce(-s.${column}, e.${column})`;
/** What an entry takes over from the one before it, or from the late one that it puts on an invoice. */
const kept = (column: string) => `coalesce(s.${column}, e.${column})`;
const taken = (column: string) =>
  `coalesce(case when e.late_entry = '' then call.${column} else late.${column} end, e.${column})`;

/** The amounts of entries. */
export const AMOUNTS: Claim = {
  name: 'amounts',
  claim: "each correction's amounts follow from what it reverses or puts on an invoice, or from its terms",
  rows: `
    with recursive ${IN_FORCE}
    select e.id as correction,
      e.follows, s.id as follows_due,
      e.late_entry, ${byKind(
        'case when s.customer is null then e.late_entry else s.late_entry end',
        `case when e.late_entry = '' and call.customer is null or call.late_entry = '' or late.late then e.late_entry end`,
        'null',
        'null',
      )} as late_entry_due,
      e.customer, ${byKind(kept('customer'), taken('customer'), 'e.customer', kept('customer'))} as customer_due,
      e.charged, ${byKind(minus('charged'), '0', due.charged, '0')} as charged_due,
      e.calls, ${byKind(minus('calls'), '0', 'e.update_balance', '0')} as calls_due,
      e.cost, ${byKind(minus('cost'), taken('cost'), 'e.cost', '0')} as cost_due,
      e.tax, ${byKind(minus('tax'), taken('tax'), due.tax, '0')} as tax_due,
      e.currency, ${byKind(kept('currency'), taken('currency'), 'e.currency', kept('currency'))} as currency_due,
      e.late, ${byKind(
        'case when s.customer is null then e.late else s.invoice is not null and e.invoice is null end',
        'false',
        'e.update_invoices = 1 and e.invoice is null',
        'false',
      )} as late_due,
      e.invoice_cost, ${byKind(
        `case when e.invoice is null then 0 else ${minus('invoice_cost')} end`,
        attached('cost'),
        due.invoiceCost,
        '0',
      )} as invoice_cost_due,
      e.invoice_tax, ${byKind(
        `case when e.invoice is null then 0 else ${minus('invoice_tax')} end`,
        attached('tax'),
        due.invoiceTax,
        '0',
      )} as invoice_tax_due,
      e.invoice_calls, ${byKind(
        'case when e.invoice is null then 0 else -1 end',
        `case when late.kind = 'reversing' then -1 else 1 end`,
        'case when e.update_invoices = 1 and e.invoice is not null then 1 else 0 end',
        '0',
      )} as invoice_calls_due,
      e.invoice_currency, ${byKind(
        'case when e.invoice is null then e.invoice_currency else coalesce(s.invoice_currency, e.invoice_currency) end',
        'e.invoice_currency',
        'e.invoice_currency',
        'e.invoice_currency',
      )} as invoice_currency_due
    from corrections e
    left join in_force s on s.uniqueid = e.uniqueid and s.id = e.follows
    left join in_force call on call.uniqueid = e.uniqueid and call.id = '' and e.late_entry = ''
    left join corrections late on late.uniqueid = e.uniqueid and late.id = e.late_entry`,
  key: 'correction',
  columns: [
    'follows',
    'late_entry',
    'customer',
    'charged',
    'calls',
    'cost',
    'tax',
    'currency',
    'late',
    'invoice_cost',
    'invoice_tax',
    'invoice_calls',
    'invoice_currency',
  ],
};
