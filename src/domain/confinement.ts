import type { Fields } from './body.ts';
import { parameters } from './contract.ts';

/** Machines and customers whose calls a user may submit. Null allows all of them, an empty set none. */
export interface Confinement {
  machines: ReadonlySet<string> | null;
  customers: ReadonlySet<number> | null;
}

/** Whether a call is not one that the user may submit; a customer of null is not known. */
export function isOutside(
  { machines, customers }: Confinement,
  { machine, scustomer }: { machine: string; scustomer: number | null },
): boolean {
  return (
    (machines !== null && !machines.has(machine)) ||
    (customers !== null && scustomer !== null && !customers.has(scustomer))
  );
}

/** The same for a message that is not a valid call, as far as its machine and customer can be read. */
export function isReadablyOutside({ machines, customers }: Confinement, fields: Fields): boolean {
  const machine = parameters.shape.machine.safeParse(fields.machine);
  const scustomer = parameters.shape.scustomer.safeParse(fields.scustomer);
  return (
    (machines !== null && machine.success && !machines.has(machine.data)) ||
    (customers !== null && scustomer.success && !customers.has(scustomer.data))
  );
}
