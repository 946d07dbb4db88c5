import type { Fields } from './body.ts';
import { parameters } from './contract.ts';

/** Machines and customers whose calls a user may submit; null: any. An empty list is none. */
export interface Confinement {
  machines: ReadonlySet<string> | null;
  customers: ReadonlySet<number> | null;
}

/** Whether a call is none that the user may submit. */
export function isOutside(
  { machines, customers }: Confinement,
  { machine, scustomer }: { machine: string; scustomer: number },
): boolean {
  return (machines !== null && !machines.has(machine)) || (customers !== null && !customers.has(scustomer));
}

/** The same of a message that is no call, as far as its machine and customer can be read. */
export function isReadablyOutside({ machines, customers }: Confinement, fields: Fields): boolean {
  const machine = parameters.shape.machine.safeParse(fields.machine);
  const scustomer = parameters.shape.scustomer.safeParse(fields.scustomer);
  return (
    (machines !== null && machine.success && !machines.has(machine.data)) ||
    (customers !== null && scustomer.success && !customers.has(scustomer.data))
  );
}
