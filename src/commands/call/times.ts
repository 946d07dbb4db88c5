/** To the second, in UTC. */
export function timeOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/** In UTC, and as the clock of this machine's time zone (TZ) had it. */
export function bothTimes(date: Date): string {
  // Sweden writes times as ISO 8601 does.
  const local = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' }).format(date);
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return `${timeOf(date)} UTC (${local} local, ${zone})`;
}
