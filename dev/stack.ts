import type { DockerServer } from './stack/docker.ts';
import { startPostgres } from './stack/postgres.ts';
import { RabbitServer, startRabbit } from './stack/rabbit.ts';
import { readRecord } from './stack/records.ts';
import { LocalServer } from './stack/server.ts';
import type { Progress, ServerHandle, Stack, StackDescription, StackWay } from './stack/types.ts';

export { type Isolated, isolate } from './stack/isolate.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './stack/postgres.ts';
export { type RabbitOptions, type RabbitServer, startRabbit } from './stack/rabbit.ts';
export type { Progress, ServerHandle, Stack, StackDescription, StackWay, StopMode } from './stack/types.ts';

export interface StackOptions {
  progress?: Progress;
  /** RabbitMQ's HTTP API beside its AMQP port; in Docker it is always there. Makes `isolate` fast. */
  management?: boolean;
}

/**
 * Starts a PostgreSQL and a RabbitMQ: the given ones (`DATABASE_URL` and `AMQP_URL`), else in Docker if an engine
 * answers, else from this machine's programs. `CDR_STACK` (given, docker, local) overrides that. See stack/README.md.
 *
 * `stop()` removes the servers that were started here; so does the end of this process, whatever its cause. No signal
 * handler is installed, so that a program can drain on SIGINT before it stops the stack.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const progress = options.progress ?? (() => {});
  const forced = forcedWay();
  const { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, CDR_MANAGEMENT_URL: managementUrl } = process.env;
  if (forced === 'given' || (forced === undefined && (databaseUrl || amqpUrl))) {
    if (!databaseUrl || !amqpUrl) {
      const absent = databaseUrl ? 'AMQP_URL' : amqpUrl ? 'DATABASE_URL' : 'DATABASE_URL and AMQP_URL';
      throw new Error(
        `${absent} must be set too: set both to use servers that exist, none to start private ones`,
      );
    }
    return givenStack({ way: 'given', databaseUrl, amqpUrl, ...(managementUrl && { managementUrl }) });
  }
  if (forced !== 'local') {
    const docker = await import('./stack/docker.ts');
    if (forced === 'docker' || (await docker.engineAnswers())) {
      const starting = [
        docker.startPostgresContainer(progress),
        docker.startRabbitContainer(progress),
      ] as const;
      const started = await both('docker', ...starting).catch((error: unknown) => {
        if (forced === 'docker') throw error;
        progress(`${error instanceof Error ? error.message : error}; using this machine's own binaries`);
      });
      if (started) return started;
    }
  }
  progress('starting PostgreSQL and RabbitMQ from this machine’s binaries');
  const management = options.management ?? false;
  return await both('local', startPostgres({ progress }), startRabbit({ progress, management }));
}

/** Describes a stack as JSON, for `connectStack` in another process of this machine. */
export function describeStack(stack: Stack): StackDescription {
  const { way, databaseUrl, amqpUrl, managementUrl, postgres, rabbitmq } = stack;
  const records =
    'recordPath' in postgres && 'recordPath' in rabbitmq
      ? { postgres: String(postgres.recordPath), rabbitmq: String(rabbitmq.recordPath) }
      : undefined;
  return { way, databaseUrl, amqpUrl, ...(managementUrl && { managementUrl }), ...(records && { records }) };
}

/** Connects to the stack of another process. The handles work; `stop` is left to the process that started it. */
export async function connectStack(description: StackDescription): Promise<Stack> {
  const { records, ...reach } = description;
  if (!records) return givenStack(description);
  const stop = () => Promise.reject(new Error('a stack is stopped by the process that started it'));
  if (description.way === 'docker') {
    const { DockerServer } = await import('./stack/docker.ts');
    return {
      ...reach,
      postgres: new DockerServer(records.postgres),
      rabbitmq: new DockerServer(records.rabbitmq),
      stop,
    };
  }
  return {
    ...reach,
    postgres: new LocalServer(records.postgres),
    rabbitmq: new RabbitServer(records.rabbitmq),
    stop,
  };
}

type OwnServer = LocalServer | DockerServer;

async function both(
  way: StackWay,
  postgresStart: Promise<OwnServer>,
  rabbitmqStart: Promise<OwnServer>,
): Promise<Stack> {
  const results = await Promise.allSettled([postgresStart, rabbitmqStart]);
  const [postgres, rabbitmq] = results;
  if (postgres.status === 'rejected' || rabbitmq.status === 'rejected') {
    for (const result of results) if (result.status === 'fulfilled') await result.value.remove();
    throw postgres.status === 'rejected'
      ? postgres.reason
      : rabbitmq.status === 'rejected' && rabbitmq.reason;
  }
  const url = (server: OwnServer, scheme: string) =>
    readRecord(server.recordPath)?.urls.find((candidate) => candidate.startsWith(scheme));
  const managementUrl = url(rabbitmq.value, 'http:');
  return {
    way,
    databaseUrl: url(postgres.value, 'postgresql:') ?? '',
    amqpUrl: url(rabbitmq.value, 'amqp:') ?? '',
    ...(managementUrl !== undefined && { managementUrl }),
    postgres: postgres.value,
    rabbitmq: rabbitmq.value,
    stop: async () => {
      await Promise.all([postgres.value.remove(), rabbitmq.value.remove()]);
    },
  };
}

function givenStack(description: StackDescription): Stack {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new Error('this server was given through DATABASE_URL and AMQP_URL and is not ours to control'),
    );
  const handle: ServerHandle = {
    pid: undefined,
    stop: refuse,
    start: refuse,
    restart: refuse,
    pause: refuse,
    resume: refuse,
  };
  return { ...description, postgres: handle, rabbitmq: handle, stop: async () => {} };
}

function forcedWay(): StackWay | undefined {
  const value = process.env.CDR_STACK;
  if (!value) return undefined;
  if (value === 'given' || value === 'docker' || value === 'local') return value;
  throw new Error(`CDR_STACK: expected given, docker or local, not ${JSON.stringify(value)}`);
}
