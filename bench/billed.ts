import type { Bed } from './bed.ts';
import { drain } from './drain.ts';
import { assertExact } from './exact.ts';
import { type Measured, totalOf } from './meter.ts';
import { median } from './numbers.ts';
import { type Services, startWorkerProgram } from './programs.ts';
import { table } from './report.ts';
import { workload } from './workload.ts';

/** What a rating engine would have: an exchange, and a queue that survives the loss of a node. */
const EXCHANGE = 'bench.billed';
const QUEUE = 'bench.billed';

/** One round: the same calls, told to nobody and told to the exchange of billed calls. */
export interface BilledRound {
  off: Measured;
  on: Measured;
}

/** What BILLED_EXCHANGE costs: drains of the same calls in turn. */
export async function measureBilled(
  bed: Bed,
  { rounds, messages }: { rounds: number; messages: number },
  progress: (line: string) => void,
): Promise<BilledRound[]> {
  const connection = await bed.connect();
  const channel = await connection.openChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(QUEUE, EXCHANGE, 'cdrs.billed.#');
  const billing = (services: Services) => startWorkerProgram({ ...services, BILLED_EXCHANGE: EXCHANGE });
  const found: BilledRound[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const calls = workload(messages, 700 + round);
      const check = ({ url }: { url: string }) => assertExact(url, calls);
      progress(`billed, round ${round + 1} of ${rounds}: nobody is told`);
      const off = await drain(bed, calls, startWorkerProgram, check);
      progress(`billed, round ${round + 1} of ${rounds}: each call is told`);
      const on = await drain(bed, calls, billing, check);
      const told = (await channel.checkQueue(QUEUE)).messageCount;
      if (told < calls.accepted) throw new Error(`${told} of ${calls.accepted} calls were told`);
      await channel.purgeQueue(QUEUE);
      found.push({ off, on });
    }
  } finally {
    await channel.deleteQueue(QUEUE);
    await channel.deleteExchange(EXCHANGE);
    await connection.close();
  }
  return found;
}

/** As Markdown. */
export function billedTable(rounds: readonly BilledRound[]): string {
  const row = (what: string, of: (measured: Measured) => number) => {
    const [off, on] = [
      median(rounds.map((round) => of(round.off))),
      median(rounds.map((round) => of(round.on))),
    ];
    return [what, off.toFixed(0), on.toFixed(0), (on / off).toFixed(2)];
  };
  return table(
    ['', 'nobody is told', 'each call is told', 'ratio'],
    [
      row('messages/s', ({ perSecond }) => perSecond),
      // CPU seconds a thousand messages are milliseconds a message.
      row('CPU of the worker, µs a message', ({ cpu }) => cpu.worker * 1000),
      row('CPU of the broker, µs a message', ({ cpu }) => cpu.broker * 1000),
      row('CPU in all, µs a message', ({ cpu }) => totalOf(cpu) * 1000),
    ],
  );
}
