import type { FeedRound } from './feed.ts';
import { totalOf } from './meter.ts';
import { median } from './numbers.ts';
import { table } from './report.ts';

/** As Markdown. */
export function feedTable(rounds: readonly FeedRound[]): string {
  const of = (pick: (round: FeedRound) => number) => median(rounds.map(pick));
  const share = of(({ events, mappingUs }) => mappingUs / (totalOf(events.cpu) * 1000));
  const lines: [string, string, string][] = [
    [
      'messages/s',
      perSecond(of(({ contract }) => contract.perSecond)),
      perSecond(of(({ events }) => events.perSecond)),
    ],
    [
      'of the contract’s rate',
      '1',
      of(({ contract, events }) => events.perSecond / contract.perSecond).toFixed(2),
    ],
    [
      'CPU of the worker, µs a message',
      cpuUs(of(({ contract }) => contract.cpu.worker)),
      cpuUs(of(({ events }) => events.cpu.worker)),
    ],
    [
      'CPU in all, µs a message',
      cpuUs(of(({ contract }) => totalOf(contract.cpu))),
      cpuUs(of(({ events }) => totalOf(events.cpu))),
    ],
    ['reading the record, µs', '', of(({ readingUs }) => readingUs).toFixed(1)],
    ['mapping it, µs', '', of(({ mappingUs }) => mappingUs).toFixed(1)],
    ['mapping, of all CPU', '', `${(share * 100).toFixed(1)} %`],
  ];
  return table(['', 'contract', 'events of 227 fields'], lines);
}

const perSecond = (rate: number) => Math.round(rate).toLocaleString('en');
/** CPU seconds a thousand messages are milliseconds a message. */
const cpuUs = (perThousand: number) => (perThousand * 1000).toFixed(0);
