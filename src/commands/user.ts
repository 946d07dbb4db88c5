import { type Command, Option } from 'commander';
import { hashPassword } from '../auth/password.ts';
import { ConfigError, readConfig } from '../config.ts';
import { databaseOf, databaseVariables } from '../connections.ts';
import { parameterRow, parameters } from '../domain/contract.ts';
import { type Database, describeFailure, openDatabase } from '../store/database.ts';
import { disableUser, listUsers, ROLES, type Role, roleOf, upsertUser } from '../store/users.ts';
import { complain, printJson, printLine, printTable } from './print.ts';
import { readSecret } from './secret.ts';

const PASSWORD_MIN = 8;
const PASSWORD_MAX_BYTES = 1024;
/** 1 to 255 code points without control characters: what a message may carry as auth_username. */
const USERNAME = /^[^\p{Cc}\p{Cs}]{1,255}$/u;
const TIMEOUT_MS = 10_000;

/** `user add`, `user list`, `user disable`: who may submit calls, work dead letters, or look. */
export function registerUser(program: Command): void {
  const user = program
    .command('user')
    .description('who may submit calls, work the dead letters, or look at them');

  user
    .command('add')
    .argument('<name>', 'the username')
    .requiredOption('--role <role>', `one of ${ROLES.join(', ')}`)
    .option('--change-role', 'lets an existing user have another role than before')
    .option('--machine <machine...>', 'confines a system user to calls of these machines')
    .option('--customer <id...>', 'confines a system user to calls of these customers')
    .addOption(new Option('--any-machine', 'takes the confinement to machines back').conflicts('machine'))
    .addOption(new Option('--any-customer', 'takes the confinement to customers back').conflicts('customer'))
    .description('creates or updates a user; the password comes from standard input or a prompt')
    .action(async (name: string, options: AddOptions) => {
      const address = databaseOf(readConfig(databaseVariables));
      if (!USERNAME.test(name))
        throw new ConfigError('name: expected 1 to 255 characters without control characters');
      const { role, changeRole: mayChangeRole = false } = options;
      if (!isRole(role)) throw new ConfigError(`--role: expected one of ${ROLES.join(', ')}, got "${role}"`);
      const confinement = confinementOf(options);
      await withDatabase(address, async ({ sql }) => {
        const before = await roleOf(sql, name);
        if (before !== undefined && before !== role && !mayChangeRole) throw otherRole(name, before, role);
        const passwordHash = await hashPassword(await askForPassword(name));
        const change = { username: name, passwordHash, role, mayChangeRole, ...confinement };
        if (!(await upsertUser(sql, change))) throw otherRole(name, 'another role', role);
      });
      printLine(`${name} is a user with role ${role}`);
    });

  user
    .command('list')
    .option('--json', 'prints the users as JSON')
    .description('shows every user')
    .action(async ({ json }: { json?: boolean }) => {
      const users = await withDatabase(databaseOf(readConfig(databaseVariables)), ({ sql }) =>
        listUsers(sql),
      );
      if (json) {
        printJson(users);
        return;
      }
      printTable(
        ['username', 'role', 'active', 'machines', 'customers', 'changed'],
        users.map(({ username, role, active, machines, customers, updatedAt }) => [
          username,
          role,
          active ? 'yes' : 'no',
          listOf(machines),
          listOf(customers),
          updatedAt.toISOString(),
        ]),
      );
    });

  user
    .command('disable')
    .argument('<name>', 'the username')
    .description('shuts a user out; workers notice within a minute')
    .action(async (name: string) => {
      const existed = await withDatabase(databaseOf(readConfig(databaseVariables)), ({ sql }) =>
        disableUser(sql, name),
      );
      if (existed) printLine(`${name} is disabled`);
      else {
        complain(`cdr-ingest user disable: there is no user "${name}"`);
        process.exitCode = 1;
      }
    });
}

interface AddOptions {
  role: string;
  changeRole?: true;
  machine?: string[];
  customer?: string[];
  anyMachine?: true;
  anyCustomer?: true;
}

/** What of the confinement changes. Throws ConfigError for a machine or customer that no call can have. */
function confinementOf({ role, machine, customer, anyMachine, anyCustomer }: AddOptions) {
  if ((machine ?? customer) !== undefined && role !== 'system')
    throw new ConfigError(`--machine, --customer: expected a user with role system, got role ${role}`);
  const { shape } = parameters;
  const wrongMachine = machine?.find((one) => !shape.machine.safeParse(one).success);
  if (wrongMachine !== undefined)
    throw new ConfigError(`--machine: expected ${parameterRow('machine')?.expected}, got "${wrongMachine}"`);
  const wrongCustomer = customer?.find((one) => !shape.scustomer.safeParse(one).success);
  if (wrongCustomer !== undefined)
    throw new ConfigError(
      `--customer: expected ${parameterRow('scustomer')?.expected}, got "${wrongCustomer}"`,
    );
  return {
    ...(machine && { machines: [...new Set(machine)] }),
    ...(anyMachine && { machines: null }),
    ...(customer && { customers: [...new Set(customer.map(Number))] }),
    ...(anyCustomer && { customers: null }),
  };
}

async function askForPassword(name: string): Promise<string> {
  const password = await readSecret(`Password for ${name}: `, 'Once more: ');
  if (password.length < PASSWORD_MIN || Buffer.byteLength(password) > PASSWORD_MAX_BYTES)
    throw new ConfigError(`password: expected ${PASSWORD_MIN} characters to ${PASSWORD_MAX_BYTES} bytes`);
  return password;
}

function otherRole(name: string, before: string, role: Role): ConfigError {
  return new ConfigError(`--role: ${name} has role ${before}; expected --change-role to make it ${role}`);
}

function listOf(values: readonly (string | number)[] | null): string {
  if (values === null) return 'any';
  return values.length === 0 ? 'none' : values.join(', ');
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

async function withDatabase<Result>(
  address: ReturnType<typeof databaseOf>,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = openDatabase({
    ...address,
    poolSize: 1,
    statementTimeoutMs: TIMEOUT_MS,
    connectTimeoutMs: TIMEOUT_MS,
    applicationName: 'cdr-ingest user',
  });
  try {
    return await work(database);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new Error(describeFailure(error), { cause: error });
  } finally {
    await database.close(TIMEOUT_MS);
  }
}
