/** A record of a feed: what it shows, and the text as its switch publishes it. */
export interface SampleRecord {
  shows: string;
  body: string;
}

/**
 * Events as FreeSWITCH's mod_amqp publishes them, with some of their 227 names: every value is text, the customer is an
 * account code, nothing signs in.
 *
 * @param now Unix seconds; the calls end shortly before
 */
export function sampleRecords(now: number): SampleRecord[] {
  return [
    { shows: 'a FreeSWITCH event, by account code', body: eventOf(now, 1, 'harbour') },
    { shows: 'a FreeSWITCH event, code not loaded', body: eventOf(now, 2, 'lighthouse') },
  ];
}

function eventOf(now: number, number: number, accountcode: string): string {
  const end = now - 60 * number;
  const [start, answer] = [end - 64, end - 60];
  return JSON.stringify({
    'Event-Name': 'CHANNEL_HANGUP_COMPLETE',
    'FreeSWITCH-Switchname': 'fs-ams-1',
    'Hangup-Cause': 'NORMAL_CLEARING',
    'Unique-ID': `7f0c1f9e-0b6e-4d6d-9a33-${String(start).padStart(11, '0')}${number}`,
    'Call-Direction': 'inbound',
    'Caller-Caller-ID-Number': '31205550101',
    'Caller-Destination-Number': '442075550142',
    variable_accountcode: accountcode,
    variable_start_epoch: String(start),
    variable_answer_epoch: String(answer),
    variable_end_epoch: String(end),
    variable_duration: '64',
    variable_billsec: '60',
    variable_nibble_total_billed: '0.150000',
  });
}
