import type { Client } from 'pg';

/** As the store writes it. */
const HOUR = "date_trunc('hour', start at time zone interval '0')";

/** What searches of the support desk take with an index that has just been made, `found_0`. */
export async function measureSearches(
  client: Client,
  calls: number,
  name: string,
  print: (line: string) => void,
): Promise<void> {
  const { rows } = await client.query<Record<string, string | number>>(
    `select uniqueid, scustomer, dnumber, callid, invoice from cdrs where callid <> uniqueid offset ${calls / 10} limit 1`,
  );
  const call = rows[0] ?? {};
  const span = (from: string, days: number) => `start >= '${from}' and start < date '${from}' + ${days}
    and ${HOUR} = any(array(select date '${from}' + n * interval '1 hour' from generate_series(0, ${days * 24 - 1}) as n))`;
  const month = span('2026-03-01', 31);
  const always = span('2025-10-09', 365);
  const keys = `array['${call.dnumber}', '+${call.dnumber}', '00${call.dnumber}']`;
  const hash = `hashtext('${call.dnumber}')`;
  const hashed = ['snumber', 'cnumber', 'dnumber'].map(
    (column) => `hashtext(ltrim(${column}, '+0')) = ${hash} and ${column} = any(${keys})`,
  );
  const number = `(snumber = any(${keys}) or cnumber = any(${keys}) or dnumber = any(${keys}))`;
  const callid = `hashtext(callid) = hashtext('${call.callid}') and callid = '${call.callid}'`;
  const page = 'order by start desc, uniqueid desc limit 51';
  const searches: Record<string, string> = {
    'a month of the busiest customer, first page': `scustomer = 1 and ${month} ${page}`,
    'a month of a customer': `scustomer = ${call.scustomer} and ${month} order by start`,
    'a year of a customer': `scustomer = ${call.scustomer} and ${always} order by start`,
    'a day, first page': `${span('2026-03-01', 1)} ${page}`,
    'a number within a month': `${number} and ${month} ${page}`,
    'a number within a month of a customer': `scustomer = ${call.scustomer} and ${number} and ${month} ${page}`,
    'a number within a month, by hashes': `(${hashed.join(' or ')}) and ${month} ${page}`,
    'a callid': `${callid} ${page}`,
    'a callid within a month': `${callid} and ${month} ${page}`,
    'an invoice, by its customer': `scustomer = (select customer from invoices where id = ${call.invoice}) and ${always} and invoice = ${call.invoice} ${page}`,
    'a uniqueid': `uniqueid = '${call.uniqueid}'`,
  };
  // Statistics of expressions come with their index.
  await client.query('analyze cdrs');
  const {
    rows: [size],
  } = await client.query<{ mb: number }>(`select round(pg_relation_size('found_0') / 1e6)::float8 as mb`);
  print(`-- ${name}: an index of ${size?.mb} MB`);
  for (const [search, condition] of Object.entries(searches))
    print(`${search}: ${await explained(client, `select * from cdrs where ${condition}`)}`);
  print(`all calls: ${await explained(client, `select * from cdrs where ${number} or note = 'none'`)}`);
}

/** Time and pages of a statement that has run once before, and its plan in short. */
async function explained(client: Client, text: string): Promise<string> {
  const explain = `explain (analyze, buffers, timing off, format json) ${text}`;
  await client.query(explain);
  const { rows } = await client.query<{ 'QUERY PLAN': [Explained] }>(explain);
  const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
  if (plan === undefined) return '';
  const nodes = (node: Plan): string[] => [
    [node['Node Type'], node['Index Name']].filter(Boolean).join(' '),
    ...(node.Plans ?? []).flatMap(nodes),
  ];
  const pages = (plan.Plan['Shared Hit Blocks'] ?? 0) + (plan.Plan['Shared Read Blocks'] ?? 0);
  return `${plan['Execution Time'].toFixed(1)} ms, ${pages} pages, ${plan.Plan['Actual Rows']} rows: ${nodes(plan.Plan).join(' < ')}`;
}

interface Explained {
  Plan: Plan;
  'Execution Time': number;
}

interface Plan {
  'Node Type': string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Shared Hit Blocks'?: number;
  'Shared Read Blocks'?: number;
  Plans?: Plan[];
}
