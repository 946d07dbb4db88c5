import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { docker, type ImageSite, openImageSite, STARTING_MS } from '../support/image.ts';

const PAGE = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const SENDER = { CDR_USERNAME: 'switch', CDR_PASSWORD: 'correct horse' };
const CALLS = 5000;

/** Takes spans by OTLP over HTTP, as JSON, and prints one a line. */
const COLLECTOR = `require('node:http').createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    response.end('{}');
    for (const { scopeSpans } of JSON.parse(body).resourceSpans)
      for (const { spans } of scopeSpans)
        for (const { name, traceId, spanId, parentSpanId, status } of spans)
          console.log(JSON.stringify({ name, traceId, spanId, parentSpanId, status }));
  });
}).listen(4318)`;

/** Publishes a call with a trace, as a switch that has one. */
const SWITCH = `const { connect } = require('amqplib');
  connect(process.env.AMQP_URL).then(async (model) => {
    const channel = await model.createConfirmChannel();
    const headers = { traceparent: process.env.TRACEPARENT };
    channel.publish('cdrs', 'cdrs.create', Buffer.from(process.env.BODY), { headers, persistent: true });
    await channel.waitForConfirms();
    await model.close();
  })`;

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  status: { code: number };
}

let site: ImageSite;
let traced: string;

/** The first block of this language in the section "Traces". */
function blockOf(language: string): string {
  const section = /^### Traces$(.*?)^### /ms.exec(PAGE)?.[1] ?? '';
  const block = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(section)?.[1];
  if (block === undefined) throw new Error(`expected a block of ${language} in the section "Traces"`);
  return block;
}

function tracing(collector: string): Record<string, string> {
  const lines = blockOf('sh').trim().replace('//collector:', `//${collector}:`).split('\n');
  const pairs = lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  return { ...Object.fromEntries(pairs), OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
}

async function startWorker(suffix: string, image: string, environment: Record<string, string>) {
  const worker = await site.start(suffix, ...site.confined({ ...site.services, ...environment }), image);
  await site.logged(worker, '"state":"consuming"');
  return worker;
}

/** CPU seconds that a worker has used. */
async function cpuOf(worker: string): Promise<number> {
  const ask = `fetch('http://127.0.0.1:8080/metrics').then((page) => page.text()).then(console.log)`;
  const page = await docker('exec', '--env', 'NODE_OPTIONS=', worker, 'node', '-e', ask);
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(page)?.[1]);
}

/** CPU seconds that a worker takes for a thousand calls. */
async function costOf(worker: string, prefix: string): Promise<number> {
  const call = { machine: 'm', start: 1, scustomer: 1 };
  const calls = Array.from({ length: CALLS }, (_, index) =>
    JSON.stringify({ ...call, uniqueid: `${prefix}.${index}` }),
  );
  const before = await cpuOf(worker);
  // The customer is unknown, so each is refused and kept: what matters is that all are answered.
  expect(await site.once(['publish', '-'], calls.join('\n'), SENDER)).toMatchObject({ code: 1 });
  return ((await cpuOf(worker)) - before) / (CALLS / 1000);
}

async function spans(collector: string): Promise<Span[]> {
  const lines = (await docker('logs', collector)).split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Span);
}

beforeAll(async () => {
  site = await openImageSite();
  traced = `${site.name}-traced`;
  const directory = mkdtempSync(join(tmpdir(), 'cdr-traces-'));
  writeFileSync(
    join(directory, 'Dockerfile'),
    blockOf('dockerfile').replace('FROM cdr-ingest', `FROM ${site.name}`),
  );
  await docker('build', '--network', 'host', '--tag', traced, directory);
  rmSync(directory, { recursive: true });
  await until(async () => (await site.once(['migrate'])).code === 0, STARTING_MS);
  await until(async () => (await site.once(['topology'])).code === 0, STARTING_MS);
  const added = await site.once(['user', 'add', 'switch', '--role', 'system'], 'correct horse\n');
  expect(added).toMatchObject({ code: 0 });
}, 1_800_000);
afterAll(async () => {
  if (traced !== undefined) await docker('rmi', '--force', '--no-prune', traced);
  await site?.close();
});

describe('the image with OpenTelemetry, as docs/operations.md adds it', () => {
  it('shows a call from its switch to its reply in one trace', async () => {
    const [trace, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const collector = await site.start(
      'collector',
      '--network',
      site.name,
      '--entrypoint',
      'node',
      site.name,
      '-e',
      COLLECTOR,
    );
    const worker = await startWorker('traced', traced, tracing(collector));
    const credentials = { auth_username: 'switch', auth_password: 'correct horse' };
    const body = { ...credentials, uniqueid: 'traced', machine: 'm', start: 1, scustomer: 1 };
    const sent = { TRACEPARENT: `00-${trace}-${parent}-01`, BODY: JSON.stringify(body) };
    const switchArguments = [
      ...site.confined({ ...site.services, ...sent }),
      '--entrypoint',
      'node',
      site.name,
    ];
    await docker('run', '--rm', ...switchArguments, '-e', SWITCH);
    const ofCall = async () => (await spans(collector)).filter(({ traceId }) => traceId === trace);
    await until(async () => (await ofCall()).some(({ name }) => name === 'cdrs.create process'), STARTING_MS);

    const seen = await ofCall();
    const named = (name: string) => seen.filter((span) => span.name.startsWith(name));
    const [consumed] = named('cdrs.create process');
    expect(consumed).toMatchObject({ parentSpanId: parent, status: { code: 0 } });
    expect(named('publish ')).toMatchObject([
      { name: 'publish cdrs.results', parentSpanId: consumed?.spanId },
    ]);
    expect(named('pg.query:persist.').length).toBeGreaterThanOrEqual(2);

    const costly = await costOf(worker, 'with');
    await docker('stop', '--time', '60', worker);
    expect(await docker('inspect', worker, '--format', '{{.State.ExitCode}}')).toBe('0');
    const { NODE_OPTIONS = '' } = tracing(collector);
    const plain = { NODE_OPTIONS: NODE_OPTIONS.replace(/ --require \S+/g, '') };
    const cheap = await costOf(await startWorker('plain', site.name, plain), 'without');
    const [with1000, without1000] = [costly, cheap].map((seconds) => Math.round(seconds * 1000) / 1000);
    console.log(
      JSON.stringify({ cpuSecondsPer1000: { with: with1000, without: without1000 }, ratio: costly / cheap }),
    );
  });
});
