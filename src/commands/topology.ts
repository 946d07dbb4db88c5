import type { Command } from 'commander';
import { checkTopology, declareTopology } from '../broker/declare.ts';
import { defaultNames } from '../broker/topology.ts';
import { readConfig } from '../config.ts';
import { brokerVariables } from '../connections.ts';
import { feedExchangesOf } from '../sources-file.ts';
import { withBroker } from './broker.ts';
import { finish } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printTable } from './print.ts';

const variables = [...brokerVariables, 'DELIVERY_LIMIT', 'SOURCES_FILE'] as const;

/** `topology`: declares exchanges, queues and bindings; `--check` only verifies them. */
export function registerTopology(program: Command): void {
  const command = program
    .command('topology')
    .description('Declare exchanges, queues and bindings')
    .option('--check', 'only verify; exit 1 if anything is missing or different')
    .option('--json', 'print the objects as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest topology', 'cdr-ingest topology --check'],
    environment: variables,
  });
}

async function run({ check: isCheck, json }: { check?: boolean; json?: boolean }): Promise<void> {
  const config = readConfig(variables);
  const feeds = feedExchangesOf(config.SOURCES_FILE);
  await withBroker(config, 'topology', async (connection) => {
    const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
    const findings = await (isCheck ? checkTopology : declareTopology)(connection, names, feeds);
    if (json) printJson(findings);
    else
      printTable(
        ['object', 'state'],
        findings.map(({ object, problem }) => [object, problem ?? 'ok']),
      );
    finish(findings.every(({ ok }) => ok));
  });
}
