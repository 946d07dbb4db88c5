/** One sample call: what it shows, and its parameters without the credentials. */
export interface Sample {
  shows: string;
  call: Record<string, string | number>;
  /** Credentials, if not those of the sample switch. */
  as?: { auth_username: string; auth_password: string };
}

/**
 * A quarter of an hour at a small carrier: completed calls, failed calls, and mistakes of switches.
 *
 * @param now Unix seconds; the calls end shortly before
 * @param viewer a user who may not submit calls
 */
export function sampleCalls(now: number, viewer: { auth_username: string; auth_password: string }): Sample[] {
  const from = now - 900;
  const call = (number: number, more: Sample['call']): Sample['call'] => ({
    uniqueid: `${from + number * 30}.${1000 + number}`,
    machine: number % 2 === 0 ? 'sw-ams-1' : 'sw-lon-1',
    start: from + number * 30,
    ...more,
  });
  const voice = (seconds: number, cost: string, start: number) => ({ end: start + seconds, cost });
  const at = (number: number) => from + number * 30;
  const first = call(1, {
    ...voice(95, '0.19', at(1)),
    scustomer: 101,
    dcustomer: 102,
    stype: 'extension',
    snumber: '31205550101',
    sname: 'Reception',
    ctype: 'external',
    cnumber: '442075550142',
    currency: 'EUR',
    taxes: 'VAT',
    peer: 1,
  });
  return [
    { shows: 'answered, VAT, on the open invoice', call: first },
    {
      shows: 'answered, another currency',
      call: call(2, { ...voice(610, '1.2', at(2)), scustomer: 101, currency: 'GBP' }),
    },
    { shows: 'busy', call: call(3, { scustomer: 101, status: 'busy', cnumber: '31205550199' }) },
    { shows: 'cancelled by the caller', call: call(4, { scustomer: 102, status: 'cancel' }) },
    { shows: 'no answer', call: call(5, { scustomer: 102, status: 'noanswer', totaltime: 42, talktime: 0 }) },
    { shows: 'congestion at the carrier', call: call(6, { scustomer: 103, status: 'congestion', peer: 2 }) },
    {
      shows: 'fax with a flat tax',
      call: call(7, { ...voice(48, '0.3', at(7)), scustomer: 103, media: 'fax', taxes: '2' }),
    },
    {
      shows: 'message, two taxes',
      call: call(8, { scustomer: 103, media: 'message', messages: 1, cost: '0.05', taxes: '2, Sales tax' }),
    },
    {
      shows: 'costs in yen, six decimals',
      call: call(9, { ...voice(333, '0.123457', at(9)), scustomer: 104 }),
    },
    {
      shows: 'international, dear',
      call: call(10, { ...voice(1800, '41.50', at(10)), scustomer: 104, currency: 'USD', taxes: 'VAT' }),
    },
    { shows: 'the first call once more', call: first },
    { shows: 'its uniqueid with another cost', call: { ...first, cost: '1.90' } },
    {
      shows: 'included minutes, costs nothing',
      call: call(13, { scustomer: 102, time: 120, end: at(13) + 120 }),
    },
    {
      shows: 'invoice named, in another currency',
      call: call(14, { ...voice(60, '0.4', at(14)), scustomer: 102, currency: 'EUR', invoice: 9003 }),
    },
    {
      shows: 'credit for a bad line',
      call: call(15, { scustomer: 101, cost: '-0.19', currency: 'EUR', taxes: 'VAT', note: 'crackling' }),
    },
    {
      shows: 'balance left alone',
      call: call(16, { ...voice(30, '0.1', at(16)), scustomer: 103, update_balance: 0 }),
    },
    {
      shows: 'name with an emoji and a control character',
      call: call(17, { scustomer: 101, sname: 'Zoë 📞\u0007 desk' }),
    },
    { shows: 'asks only (validation=1)', call: call(18, { scustomer: 104, cost: '3', validation: 1 }) },
    { shows: 'asks only, and would be refused', call: call(19, { scustomer: 104, peer: 77, validation: 1 }) },
    { shows: 'unknown customer', call: call(20, { ...voice(70, '0.35', at(20)), scustomer: 555 }) },
    { shows: 'misspelt parameter', call: call(21, { scustomer: 101, cots: '0.5' }) },
    {
      shows: 'three things wrong at once',
      call: call(22, { scustomer: 101, cost: '1,50', status: 'answered', end: at(0) }),
    },
    { shows: 'invoice that is closed', call: call(23, { scustomer: 102, cost: '0.2', invoice: 9002 }) },
    {
      shows: 'wrong password',
      call: call(24, { scustomer: 101 }),
      as: { auth_username: 'switch', auth_password: 'guess' },
    },
    { shows: 'a user who may only look', call: call(25, { scustomer: 101 }), as: viewer },
  ];
}
