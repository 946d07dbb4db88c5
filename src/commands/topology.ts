import type { Command } from 'commander';
import { openFirst } from '../broker/connect.ts';
import { checkTopology, declareTopology, defaultNames } from '../broker/topology.ts';
import { readConfig } from '../config.ts';
import { brokerOf, brokerVariables } from '../connections.ts';
import { printJson, printTable } from './print.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 10;

/** `topology`: declares exchanges, queues and bindings; `--check` only verifies. */
export function registerTopology(program: Command): void {
  program
    .command('topology')
    .description('declares exchanges, queues and bindings')
    .option('--check', 'only verifies; exits 1 if anything is missing or different')
    .option('--json', 'prints the objects as JSON')
    .action(async (options: { check?: boolean; json?: boolean }) => {
      const config = readConfig([...brokerVariables, 'DELIVERY_LIMIT']);
      const connection = await openFirst({
        ...brokerOf(config),
        name: 'cdr-ingest topology',
        heartbeatSeconds: HEARTBEAT_SECONDS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      });
      try {
        const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
        const findings = await (options.check ? checkTopology : declareTopology)(connection, names);
        if (options.json) printJson(findings);
        else
          printTable(
            ['object', 'state'],
            findings.map(({ object, problem }) => [object, problem ?? 'as it should be']),
          );
        process.exitCode = findings.every(({ ok }) => ok) ? 0 : 1;
      } finally {
        await connection.close();
      }
    });
}
