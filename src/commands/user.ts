import { type Command, Option } from 'commander';
import { hashPassword } from '../auth/password.ts';
import { ConfigError, readConfig } from '../config.ts';
import { databaseVariables } from '../connections.ts';
import { parameterRow, parameters } from '../domain/contract.ts';
import { EVERY, EVERY_EXPECTED, everyText, secondsOf } from '../domain/every.ts';
import { disableUser, listUsers, ROLES, type Role, roleOf, upsertUser } from '../store/users.ts';
import { withDatabase } from './database.ts';
import { CommandError } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printLine, printTable } from './print.ts';
import { readSecret } from './secret.ts';

const PASSWORD_MIN = 8;
const PASSWORD_MAX_BYTES = 1024;
/** 1 to 255 code points without control characters: what a message may carry as auth_username. */
const USERNAME = /^[^\p{Cc}\p{Cs}]{1,255}$/u;
const SESSION = { name: 'user', statementTimeoutMs: 10_000 };

/** `user`: who may submit calls, correct them by message, work on dead letters, or look at them. */
export function registerUser(program: Command): void {
  const user = program.command('user').description('Manage users and roles');
  registerAdd(user);
  registerList(user);
  registerDisable(user);
  addUsage(user, { examples: ['cdr-ingest user add switch-1 --role system', 'cdr-ingest user list'] });
}

function registerAdd(user: Command): void {
  const command = user
    .command('add')
    .argument('<name>', 'username')
    .description('Create or update a user; the password comes from standard input or a prompt')
    .requiredOption('--role <role>', `one of ${ROLES.join(', ')}`)
    .option('--change-role', 'allow a new role for an existing user')
    .option('--machine <machine...>', 'confine a system or commerce user to calls of these machines')
    .option('--customer <id...>', 'confine a system or commerce user to calls of these customers')
    .option('--every <time>', 'how often a system user is heard of at least: 15m, 2h; none for no alarm')
    .addOption(new Option('--any-machine', 'lift the confinement to machines').conflicts('machine'))
    .addOption(new Option('--any-customer', 'lift the confinement to customers').conflicts('customer'))
    .action(add);
  addUsage(command, {
    examples: [
      'cdr-ingest user add alice --role operator',
      'cdr-ingest user add switch-1 --role system --machine switch-1 < password.txt',
      'cdr-ingest user add switch-1 --role system --any-machine',
      'cdr-ingest user add shop --role commerce --customer 1',
      'cdr-ingest user add switch-1 --role system --every 15m',
    ],
    environment: databaseVariables,
  });
}

function registerList(user: Command): void {
  const command = user
    .command('list')
    .description('List all users')
    .option('--json', 'print the users as JSON')
    .action(list);
  addUsage(command, { examples: ['cdr-ingest user list'], environment: databaseVariables });
}

function registerDisable(user: Command): void {
  const command = user
    .command('disable')
    .argument('<name>', 'username')
    .description('Disable a user; workers notice within a minute')
    .action(disable);
  addUsage(command, { examples: ['cdr-ingest user disable switch-1'], environment: databaseVariables });
}

interface AddOptions {
  role: string;
  changeRole?: true;
  machine?: string[];
  customer?: string[];
  every?: string;
  anyMachine?: true;
  anyCustomer?: true;
}

async function add(name: string, options: AddOptions): Promise<void> {
  const config = readConfig(databaseVariables);
  if (!USERNAME.test(name))
    throw new ConfigError('name: expected 1 to 255 characters without control characters');
  const { role, changeRole: mayChangeRole = false } = options;
  if (!isRole(role)) throw new ConfigError(`--role: expected one of ${ROLES.join(', ')}, got "${role}"`);
  const settings = { ...confinementOf(options), ...everyOf(options) };
  await withDatabase(config, SESSION, async ({ sql }) => {
    const before = await roleOf(sql, name);
    if (before !== undefined && before !== role && !mayChangeRole) throw otherRole(name, before, role);
    const passwordHash = await hashPassword(await askForPassword(name));
    const change = { username: name, passwordHash, role, mayChangeRole, ...settings };
    if (!(await upsertUser(sql, change))) throw otherRole(name, 'another role', role);
  });
  printLine(`${name} has role ${role}`);
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const config = readConfig(databaseVariables);
  const users = await withDatabase(config, SESSION, ({ sql }) => listUsers(sql));
  if (json) printJson(users);
  else
    printTable(
      ['username', 'role', 'active', 'machines', 'customers', 'every', 'changed'],
      users.map(({ username, role, active, machines, customers, everySeconds, updatedAt }) => [
        username,
        role,
        active ? 'yes' : 'no',
        listOf(machines),
        listOf(customers),
        everySeconds === null ? '' : everyText(everySeconds),
        updatedAt.toISOString(),
      ]),
    );
}

async function disable(name: string): Promise<void> {
  const config = readConfig(databaseVariables);
  const exists = await withDatabase(config, SESSION, ({ sql }) => disableUser(sql, name));
  if (!exists) throw new CommandError(`there is no user "${name}"`);
  printLine(`${name} is disabled`);
}

/** The changes to a user's confinement. Throws ConfigError for a machine or customer that no call can have. */
function confinementOf({ role, machine, customer, anyMachine, anyCustomer }: AddOptions) {
  if ((machine ?? customer) !== undefined && role !== 'system' && role !== 'commerce')
    throw new ConfigError(
      `--machine, --customer: expected a user with role system or commerce, got role ${role}`,
    );
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

/** Throws ConfigError for what is no time, and for a user who submits no calls. */
function everyOf({ role, every }: AddOptions): { everySeconds?: number | null } {
  if (every === undefined) return {};
  if (role !== 'system') throw new ConfigError(`--every: expected a user with role system, got role ${role}`);
  if (every === 'none') return { everySeconds: null };
  if (!EVERY.test(every))
    throw new ConfigError(`--every: expected ${EVERY_EXPECTED}, or none, got "${every}"`);
  return { everySeconds: secondsOf(every) };
}

async function askForPassword(name: string): Promise<string> {
  const password = await readSecret(`Password for ${name}: `, 'Repeat password: ');
  if (password.length < PASSWORD_MIN || Buffer.byteLength(password) > PASSWORD_MAX_BYTES)
    throw new ConfigError(
      `password: expected at least ${PASSWORD_MIN} characters and at most ${PASSWORD_MAX_BYTES} bytes`,
    );
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
