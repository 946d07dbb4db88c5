import type { Command } from 'commander';
import { hashPassword } from '../auth/password.ts';
import { ConfigError, readConfig } from '../config.ts';
import { type Database, describeFailure, openDatabase } from '../store/database.ts';
import { disableUser, listUsers, ROLES, type Role, upsertUser } from '../store/users.ts';
import { complain, printJson, printLine, printTable } from './print.ts';
import { readSecret } from './secret.ts';
import { databaseOf, databaseVariables } from './services.ts';

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
    .description('creates or updates a user; the password comes from standard input or a prompt')
    .action(async (name: string, { role }: { role: string }) => {
      const address = databaseOf(readConfig(databaseVariables));
      if (!USERNAME.test(name))
        throw new ConfigError('name: expected 1 to 255 characters without control characters');
      if (!isRole(role)) throw new ConfigError(`--role: expected one of ${ROLES.join(', ')}, got "${role}"`);
      const password = await readSecret(`Password for ${name}: `, 'Once more: ');
      if (password.length < PASSWORD_MIN || Buffer.byteLength(password) > PASSWORD_MAX_BYTES) {
        throw new ConfigError(`password: expected ${PASSWORD_MIN} characters to ${PASSWORD_MAX_BYTES} bytes`);
      }
      const passwordHash = await hashPassword(password);
      await withDatabase(address, ({ prisma }) => upsertUser(prisma, { username: name, passwordHash, role }));
      printLine(`${name} is a user with role ${role}`);
    });

  user
    .command('list')
    .option('--json', 'prints the users as JSON')
    .description('shows every user')
    .action(async ({ json }: { json?: boolean }) => {
      const users = await withDatabase(databaseOf(readConfig(databaseVariables)), ({ prisma }) =>
        listUsers(prisma),
      );
      if (json) {
        printJson(users);
        return;
      }
      printTable(
        ['username', 'role', 'active', 'changed'],
        users.map(({ username, role, active, updatedAt }) => [
          username,
          role,
          active ? 'yes' : 'no',
          updatedAt.toISOString(),
        ]),
      );
    });

  user
    .command('disable')
    .argument('<name>', 'the username')
    .description('shuts a user out; workers notice within a minute')
    .action(async (name: string) => {
      const existed = await withDatabase(databaseOf(readConfig(databaseVariables)), ({ prisma }) =>
        disableUser(prisma, name),
      );
      if (existed) printLine(`${name} is disabled`);
      else {
        complain(`cdr-ingest user disable: there is no user "${name}"`);
        process.exitCode = 1;
      }
    });
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
    throw new Error(describeFailure(error), { cause: error });
  } finally {
    await database.close(TIMEOUT_MS);
  }
}
