import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Isolated } from '../../dev/stack.ts';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';
import { testServices } from '../support/stack.ts';
import { openTaker, type Taker } from '../support/taker.ts';

const directory = mkdtempSync(join(tmpdir(), 'cdr-publish-source-'));
let services: Isolated;
let taker: Taker;

const CALL = `
  call:
    uniqueid: id
    machine: { constant: m-1 }
    start: { from: begin, time: s }
    scustomer: { constant: "1" }`;

const SOURCES = `csv:
  exchange: from.csv
  as: switch-csv
  machines: [m-1]
  format: csv
  columns: [id, begin, kind]
  header: columns
  trailer: { starts: END }
  skip: { kind: [test] }${CALL}
direct:
  exchange: from.direct
  type: direct
  keys: [cdr, cdr.more]
  as: switch-direct
  machines: [m-1]
  format: positional
  fields: { id: 1-3, begin: 4-13 }${CALL}
fanout:
  exchange: from.fanout
  type: fanout
  as: switch-fanout
  machines: [m-1]
  format: json${CALL}
form:
  exchange: from.form
  as: switch-form
  machines: [m-1]
  format: form${CALL}
undeclared:
  exchange: from.nowhere
  as: switch-x
  machines: [m-1]
  format: json${CALL}
`;

beforeAll(async () => {
  services = await testServices('publish-source');
  const declared = fileWith('declared.yaml', SOURCES.slice(0, SOURCES.indexOf('undeclared:')));
  await runInProcess(['topology'], { ...environment(), SOURCES_FILE: declared });
  taker = await openTaker(services.amqpUrl);
});
afterEach(() => taker.forget());
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await taker?.close();
  await services?.drop();
});

function fileWith(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function environment(): Record<string, string> {
  return {
    AMQP_URL: services.amqpUrl,
    SOURCES_FILE: fileWith('sources.yaml', SOURCES),
    CDR_USERNAME: 'nobody',
    CDR_PASSWORD: 'not-sent',
  };
}

function publish(source: string, content: string | Buffer): Promise<CommandResult> {
  const file = fileWith('records', content);
  return runInProcess(['publish', '--json', '--source', source, file], environment());
}

/** What came, as a switch's messages are told apart. */
function came() {
  return taker.taken.map(({ content, fields, properties }) => ({
    body: content.toString('latin1'),
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    contentType: properties.contentType,
    deliveryMode: properties.deliveryMode,
    headers: properties.headers,
  }));
}

describe('publish --source', () => {
  it.each([
    ['csv', 'a,1,call\nb,2,call\n', 'id,begin,kind\na,1,call\nb,2,call\nEND,2\n', 'cdrs.create', 'text/csv'],
    ['direct', '00a1790000000\n00b1790000001\n', undefined, 'cdr', 'text/plain'],
    ['fanout', '{"id": 1.50, "id": 1.50}\n{"begin":"1"}\n', undefined, 'cdrs.create', 'application/json'],
    ['form', 'id=a&begin=1\nid=b;begin=%32\n', undefined, 'cdrs.create', 'application/x-www-form-urlencoded'],
  ])(
    'sends each record of the feed %s as its switch would: the bytes, and nothing else',
    async (source, records, file, routingKey, contentType) => {
      const { stdout, code } = await publish(source, file ?? records);
      expect(JSON.parse(stdout)).toMatchObject({ sent: 2, byCode: { 204: 2 }, skipped: 0 });
      expect(code).toBe(0);
      const bodies = records.trimEnd().split('\n');
      const same = { exchange: `from.${source}`, routingKey, contentType, deliveryMode: 2, headers: {} };
      expect(came()).toEqual(bodies.map((body) => ({ body, ...same })));
    },
  );

  it('counts what the feed skips and does not send it, and sends what cannot be mapped', async () => {
    const file = Buffer.from(
      'id,begin,kind\na,1,test\nb,2,call\nc\nJos\xe9,3,call\r\nd,"4\r\n",call\r\n',
      'latin1',
    );
    const { stdout } = await publish('csv', file);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 4, skipped: 1 });
    expect(came().map(({ body }) => body)).toEqual(['b,2,call', 'c', 'Jos\xe9,3,call', 'd,"4\r\n",call']);
  });

  it.each([
    [
      'a header that names other columns',
      'csv',
      'a,b\n',
      1,
      /records: line 1: expected the columns id, begin, kind\n$/,
    ],
    [
      'an exchange that nobody declared',
      'undeclared',
      '{}\n',
      1,
      /no exchange 'from.nowhere'.*; run "cdr-ingest topology"\n$/,
    ],
    [
      'a feed that the file does not have',
      'nobody',
      '{}\n',
      2,
      /^cdr-ingest: --source: expected one of csv, .*, got "nobody"\n$/,
    ],
  ])('ends with one line over %s', async (_, source, content, expected, line) => {
    const { stderr, code } = await publish(source, content);
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(expected);
    expect(came()).toEqual([]);
  });
});
