/** The orders of the list: latest or oldest death first, the highest cost first, or customer by customer. */
export const sorts = ['latest', 'oldest', 'cost', 'customer'] as const;
export type Sort = (typeof sorts)[number];

export function isSort(text: string): text is Sort {
  return (sorts as readonly string[]).includes(text);
}

/** Where a page of the list ended and the next one starts. */
export interface Cursor {
  /** What the list is sorted by, as PostgreSQL prints it: a JavaScript Date or number would lose digits, and so skip rows. */
  by: string;
  id: number;
}

/** How one order is written in SQL. Each is that of an index of open dead letters; of closed ones, those by time are. */
interface Order {
  key: string;
  type: string;
  direction: 'asc' | 'desc';
  /** What a cursor of this order looks like. */
  form: RegExp;
}

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+\d\d$/;
const byTime = { key: 'd.last_dead_at', type: 'timestamptz', form: TIME } as const;

export const orders: Readonly<Record<Sort, Order>> = {
  latest: { ...byTime, direction: 'desc' },
  oldest: { ...byTime, direction: 'asc' },
  // By the number that the call says, whatever its currency. Costs that cannot be read come last.
  cost: {
    key: `coalesce(d.cost, '-Infinity'::numeric)`,
    type: 'numeric',
    direction: 'desc',
    form: /^-?(?:\d{1,12}(?:\.\d{1,6})?|Infinity)$/,
  },
  // Calls without a customer come last.
  customer: { key: 'coalesce(d.scustomer, 2147483647)', type: 'int', direction: 'asc', form: /^-?\d{1,10}$/ },
};

/** A cursor for a URL. */
export function cursorText({ by, id }: Cursor): string {
  return `${id}@${by}`;
}

/** Undefined for a text that is no cursor of this order. */
export function cursorOf(text: string | null, sort: Sort): Cursor | undefined {
  const [, id, by] = /^(\d{1,15})@(.+)$/.exec(text ?? '') ?? [];
  return id === undefined || by === undefined || !orders[sort].form.test(by)
    ? undefined
    : { id: Number(id), by };
}
