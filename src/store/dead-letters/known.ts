/**
 * SQL that is true if a call of this uniqueid is stored, or was and has been pruned. No statement says `resolved` without
 * it: whatever goes wrong in a worker, a dead letter whose call is not stored stays open. A constraint could not say it:
 * a row does not know under which uniqueid its call is stored, which corrections and the map of a feed decide. One by one
 * (`limit`), for the same reason as in persist/look-up.ts.
 */
export const isKnownCall = (uniqueid: string) =>
  `coalesce((select true from known_calls k where k.uniqueid = ${uniqueid} limit 1), false)`;
