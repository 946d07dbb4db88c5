/** Names that this system declares for itself, and the broker's own, which nobody may declare. */
const TAKEN = /^(?:cdrs|cdrs\.intake|cdrs\.dead|cdrs\.results|amq\..*)$/s;

/** Whether an exchange is none that somebody else can have for a purpose of its own. */
export function isTakenExchange(name: string): boolean {
  return TAKEN.test(name);
}
