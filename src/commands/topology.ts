import { type Command, Option } from 'commander';
import { checkTopology, declareTopology, type TopologyReport } from '../broker/declare.ts';
import { withRouting } from '../broker/health/bindings.ts';
import { readRouting } from '../broker/health/routing.ts';
import { type Migration, migrateExchange } from '../broker/migration/migrate.ts';
import { defaultNames } from '../broker/topology.ts';
import { readConfig } from '../config.ts';
import { brokerVariables } from '../connections.ts';
import { feedsIn } from '../sources-file.ts';
import { managementOf, withBroker } from './broker.ts';
import { finish } from './exit.ts';
import { addUsage } from './help.ts';
import { complain, printJson, printTable } from './print.ts';

const variables = [...brokerVariables, 'AMQP_MANAGEMENT_URL', 'DELIVERY_LIMIT', 'SOURCES_FILE'] as const;

interface Options {
  check?: boolean;
  migrate?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** `topology`: declares exchanges, queues and bindings; `--check` only verifies them. */
export function registerTopology(program: Command): void {
  const command = program
    .command('topology')
    .description('Declare exchanges, queues and bindings')
    .option('--check', 'only verify; exit 1 if anything is missing or different')
    .addOption(
      new Option(
        '--migrate',
        'replace an exchange cdrs of the form before, which switches may not declare; nothing confirmed is lost',
      ).conflicts('check'),
    )
    .addOption(new Option('--yes', 'migrate although it costs what was said').implies({ migrate: true }))
    .option('--json', 'print the objects as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest topology', 'cdr-ingest topology --check', 'cdr-ingest topology --migrate'],
    environment: variables,
  });
}

async function run({ check: isCheck, migrate, yes: accepts = false, json }: Options): Promise<void> {
  const config = readConfig(variables);
  const feeds = feedsIn(config.SOURCES_FILE).map(({ spec }) => spec);
  const { management, vhost } = managementOf(config);
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  await withBroker(config, 'topology', async (connection) => {
    if (migrate) {
      const options = { management, vhost, names, accepts };
      if (!report(await migrateExchange(connection, options))) return finish(false);
    }
    const findings = isCheck
      ? withRouting(
          await checkTopology(connection, names, feeds),
          await readRouting(management, vhost),
          names,
          feeds,
        )
      : await declareTopology(connection, names, feeds);
    print(findings, json);
    finish(findings.every(({ ok }) => ok));
  });
}

/** Whether the exchange is as it should be. */
function report(migration: Migration): boolean {
  switch (migration.kind) {
    case 'nothing to do':
      complain('the exchange "cdrs" has the new form already');
      return true;
    case 'refused':
      complain(`not migrated: ${migration.problems.join('; ')}`);
      return false;
    case 'costs':
      complain('not migrated, because it would cost:');
      for (const cost of migration.costs) complain(`- ${cost}`);
      complain('"topology --migrate --yes" accepts that');
      return false;
    case 'done': {
      const { tookMs, restored, costs, leftover } = migration;
      const ms = tookMs.toFixed(1);
      complain(
        `migrated: the exchange "cdrs" was replaced in ${ms} ms; publishers were refused (404) in part of them`,
      );
      for (const binding of restored) complain(`made again: the binding ${binding}`);
      for (const cost of costs) complain(`accepted: ${cost}`);
      if (leftover !== null)
        complain(`the policy cdrs-migration is still there and does no harm: ${leftover}`);
      return true;
    }
  }
}

function print(findings: readonly TopologyReport[], json: boolean | undefined): void {
  if (json) printJson(findings);
  else
    printTable(
      ['object', 'state'],
      findings.map(({ object, problem }) => [object, problem ?? 'ok']),
    );
}
