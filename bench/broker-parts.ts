import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startRabbit } from '../dev/stack.ts';
import {
  type BrokerConnection,
  type Channel,
  type ConfirmChannel,
  openConnection,
} from '../src/broker/connect.ts';
import { declareTopology } from '../src/broker/declare.ts';
import { reusedHeaders } from '../src/broker/encoding/reused-options.ts';
import { defaultNames } from '../src/broker/topology.ts';
import { sample } from './meter.ts';
import { median, spread } from './numbers.ts';
import { workload } from './workload.ts';

/**
 * What a message costs the broker, by part:
 *
 *   npx tsx bench/broker-parts.ts [--messages 20000] [--rounds 5] [--only REGEXP] [--url amqp://… --pid N]
 *
 * By default it starts a broker. With a URL and the number of its process it measures one that runs on this machine, in a container
 * too, and that has no queue of calls yet.
 * Each part is done by itself with its own queue, and all take turns. Acknowledgements and replies go out in portions as
 * those of a batch do. `reductions` is the work of Erlang's processes by what they are for, in shares.
 */
const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    url: { type: 'string' },
    pid: { type: 'string' },
  },
});
const MESSAGES = Number(options.messages);
const PREFETCH = 1500;
const BATCH = 400;
/** In which the broker finishes what nobody is told of: acknowledgements. */
const SETTLE_MS = 300;

const QUEUES: Record<string, Record<string, unknown>> = {
  quorum: { 'x-queue-type': 'quorum' },
  classic: { 'x-queue-type': 'classic' },
  stream: { 'x-queue-type': 'stream', 'x-max-length-bytes': 1024 ** 3 },
};

interface Found {
  /** CPU of the broker, microseconds a message. */
  cpu: number;
  /** Frames of the broker that confirm, for 1,000 messages. */
  confirms: number;
  /** System calls in which this program wrote and read, for 1,000 messages. */
  writes: number;
  reads: number;
  reductions: ReadonlyMap<string, number>;
}

/** Reductions of all processes so far, by the module that a process began in. */
const REDUCTIONS = `
  Kind = fun(P) ->
    case process_info(P, [reductions, dictionary, initial_call]) of
      undefined -> none;
      [{reductions, R}, {dictionary, D}, {initial_call, {M, _, _}}] ->
        Name = case proplists:get_value('$initial_call', D) of {I, _, _} -> I; _ -> M end,
        {Name, R}
    end end,
  Sums = lists:foldl(fun(P, S) -> case Kind(P) of none -> S; {N, R} -> maps:update_with(N, fun(V) -> V + R end, R, S) end end,
    #{}, processes()),
  [io:format("~s ~b~n", [N, R]) || {N, R} <- maps:to_list(Sums)], ok.`;

const broker = await theBroker();

async function theBroker() {
  const { url, pid } = options;
  if (url === undefined && pid === undefined) return await startRabbit();
  if (url === undefined || pid === undefined) throw new Error('--url and --pid: expected both or neither');
  return { url, pid: Number(pid), ctl: async () => '', remove: async () => undefined };
}

async function connect() {
  const opened = await openConnection({
    url: broker.url,
    name: 'bench',
    heartbeatSeconds: 60,
    connectTimeoutMs: 30_000,
  });
  if (opened.kind !== 'open') throw new Error(opened.problem);
  return opened.connection;
}

/** Whatever waits in the queue of calls would be taken out of it. */
async function expectUnused(connection: BrokerConnection): Promise<void> {
  const channel = await connection.openChannel();
  // That the queue is missing closes the channel.
  channel.on('error', () => undefined);
  const isThere = await channel.checkQueue(defaultNames.queue).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new Error(`--url: expected a broker without the queue ${defaultNames.queue}, got one that has it`);
}

async function measure(): Promise<void> {
  const [incoming, outgoing] = [await connect(), await connect()];
  await expectUnused(outgoing);
  await declareTopology(outgoing, defaultNames);
  const channel = await outgoing.openConfirmChannel();
  let confirms = 0;
  channel.on('ack', () => {
    confirms += 1;
  });
  for (const [name, queueArguments] of Object.entries(QUEUES)) {
    await channel.assertQueue(`bench.${name}`, { durable: true, arguments: queueArguments });
    await channel.bindQueue(`bench.${name}`, defaultNames.resultsExchange, `bench.${name}`);
  }
  const { messages } = workload(MESSAGES, 4711);
  const bodies = messages.map(({ body }) => body);
  const reply = Buffer.from('{"responses":[{"code":"204","key":"","message":"OK"}]}');

  const calls = (exchange: string, routingKey: string) => () =>
    publish(channel, bodies.length, (index) =>
      channel.publish(exchange, routingKey, bodies[index] ?? reply, {
        contentType: 'application/json',
        persistent: true,
        replyTo: 'cdrs.reply.bench',
        correlationId: String(index),
      }),
    );
  const replies = (exchange: string, routingKey: string) => () =>
    publish(channel, MESSAGES, (index) =>
      channel.publish(exchange, routingKey, reply, {
        contentType: 'application/json',
        persistent: true,
        mandatory: true,
        correlationId: String(index),
        headers: reusedHeaders({ uniqueid: `1760000000.${index}`, charged: '0.123456', currency: 'USD' }),
      }),
    );
  const parts: Record<
    string,
    { before?: () => Promise<unknown>; run: () => Promise<Channel | undefined>; queue: string }
  > = {
    'calls published through cdrs': { run: calls('cdrs', 'cdrs.create.sw-1'), queue: 'cdrs.create' },
    'calls published to the queue itself': { run: calls('', 'cdrs.create'), queue: 'cdrs.create' },
    [`calls delivered, acknowledged by ${BATCH}`]: {
      before: calls('', 'cdrs.create'),
      run: async () => consume(incoming, 'together'),
      queue: 'cdrs.create',
    },
    'calls delivered, acknowledged one by one': {
      before: calls('', 'cdrs.create'),
      run: async () => consume(incoming, 'each'),
      queue: 'cdrs.create',
    },
    ...Object.fromEntries(
      Object.keys(QUEUES).flatMap((name) => [
        [`replies published, ${name} queue`, { run: replies('', `bench.${name}`), queue: `bench.${name}` }],
        [
          `replies through cdrs.results, ${name} queue`,
          { run: replies('cdrs.results', `bench.${name}`), queue: `bench.${name}` },
        ],
      ]),
    ),
  };
  const wanted = Object.entries(parts).filter(([name]) => name.match(options.only) !== null);
  const found = new Map(wanted.map(([name]) => [name, [] as Found[]]));
  for (let round = 0; round <= Number(options.rounds); round += 1)
    for (const [name, { before, run, queue }] of wanted) {
      await before?.();
      await sleep(SETTLE_MS);
      // Asking takes seconds.
      const isLast = round === Number(options.rounds);
      const reductions = isLast ? await reductionsNow() : new Map<string, number>();
      const from = { cpu: brokerCpu(), confirms, ...systemCalls() };
      const consumer = await run();
      await sleep(SETTLE_MS);
      const each = (value: number) => (value / MESSAGES) * 1000;
      const now = systemCalls();
      const cpu = ((brokerCpu() - from.cpu) / MESSAGES) * 1e6;
      const spent = isLast ? await reductionsNow() : reductions;
      for (const [what, value] of spent) spent.set(what, value - (reductions.get(what) ?? 0));
      // The first round is for the compilers.
      if (round > 0)
        found.get(name)?.push({
          cpu,
          confirms: each(confirms - from.confirms),
          writes: each(now.writes - from.writes),
          reads: each(now.reads - from.reads),
          reductions: spent,
        });
      await consumer?.close();
      if (queue !== 'bench.stream') await channel.purgeQueue(queue);
    }
  for (const [name, rounds] of found) print(name, rounds);
  await Promise.all([incoming.close(), outgoing.close()]);
}

async function publish(
  channel: ConfirmChannel,
  count: number,
  one: (index: number) => boolean,
): Promise<undefined> {
  for (let from = 0; from < count; from += BATCH) {
    for (let index = from; index < Math.min(from + BATCH, count); index += 1) one(index);
    await channel.waitForConfirms();
  }
}

/** Consumes everything. */
async function consume(connection: BrokerConnection, acks: 'together' | 'each'): Promise<Channel> {
  const channel = await connection.openChannel();
  await channel.prefetch(PREFETCH);
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    channel
      .consume('cdrs.create', (message) => {
        if (message === null) return reject(new Error('the consumer was cancelled'));
        received += 1;
        if (acks === 'each') channel.ack(message);
        if (acks === 'together' && (received % BATCH === 0 || received === MESSAGES))
          channel.ack(message, true);
        if (received === MESSAGES) resolve();
      })
      .catch(reject);
  });
  return channel;
}

function brokerCpu(): number {
  return sample({ worker: undefined, broker: broker.pid, database: undefined }, 0).cpu.broker;
}

function systemCalls(): { reads: number; writes: number } {
  const text = readFileSync('/proc/self/io', 'latin1');
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  return { reads: of('syscr'), writes: of('syscw') };
}

async function reductionsNow(): Promise<Map<string, number>> {
  const printed = await broker.ctl(['eval', REDUCTIONS]);
  return new Map(
    [...printed.matchAll(/^(\w+) (\d+)$/gm)].map(([, name = '', reductions]) => [name, Number(reductions)]),
  );
}

function print(name: string, rounds: readonly Found[]): void {
  const of = (key: 'cpu' | 'confirms' | 'writes' | 'reads') => rounds.map((round) => round[key]);
  process.stdout.write(
    `${name}: ${spread(of('cpu'), 1)} us of CPU a message; for 1,000 messages ${median(of('confirms')).toFixed(0)} confirming frames, ${median(of('writes')).toFixed(0)} writes, ${median(of('reads')).toFixed(0)} reads\n`,
  );
  const last = rounds.at(-1)?.reductions ?? new Map<string, number>();
  if (last.size === 0) return;
  const total = [...last.values()].reduce((sum, value) => sum + value, 0);
  const shares = [...last]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([what, value]) => `${what} ${((value / total) * 100).toFixed(0)} %`);
  process.stdout.write(`  reductions: ${shares.join(', ')}\n`);
}

try {
  await measure();
} finally {
  await broker.remove();
}
