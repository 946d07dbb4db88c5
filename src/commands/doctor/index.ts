import type { Command } from 'commander';
import { billingVariables } from '../../billing-rules.ts';
import { readConfig } from '../../config.ts';
import { brokerVariables, databaseVariables } from '../../connections.ts';
import { finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { brokerSettings, examineBroker } from './broker.ts';
import type { Check } from './check.ts';
import { examineDatabase } from './database.ts';

const variables = [...databaseVariables, ...brokerVariables, ...billingVariables, ...brokerSettings] as const;

interface Options {
  json?: boolean;
  strict?: boolean;
}

/** `doctor`: one line for each check; exits 1 if any failed. Warnings and what had to be skipped count with --strict only. */
export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'Check broker, database, replication, schema, rights, topology, policies, lag, clocks, certificates and billing tables',
    )
    .option('--json', 'print the checks as JSON')
    .option('--strict', 'exit 1 for warnings, and for what could not be looked at, too')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest doctor', 'cdr-ingest doctor --strict --json'],
    environment: variables,
  });
}

async function run({ json = false, strict = false }: Options): Promise<void> {
  const config = readConfig(variables);
  const checks = [...(await examineBroker(config)), ...(await examineDatabase(config))];
  if (json) printJson(checks);
  else
    for (const { check, state, detail } of checks)
      printLine(`${state.padEnd(7)}  ${check.padEnd(11)}  ${detail}`);
  finish(!checks.some((check) => isFatal(check, strict)));
}

function isFatal({ state }: Check, strict: boolean): boolean {
  switch (state) {
    case 'ok':
      return false;
    case 'warning':
    case 'unknown':
      return strict;
    case 'failed':
      return true;
  }
}
