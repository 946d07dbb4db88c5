import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ContainerRuntimeClient, GenericContainer, getContainerRuntimeClient } from 'testcontainers';
import { CONTAINER_LABEL } from './containers.ts';
import { freePort } from './ports.ts';
import { untilAnswering } from './ready.ts';
import { type DockerRecord, readRecord, writeRecord } from './records.ts';
import { newRecordPath, openRun, releaseServer } from './run.ts';
import type { Progress, ServerHandle, StopMode } from './types.ts';

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const ENGINE_MS = 5_000;
const READY_MS = 90_000;
const CLEAN_STOP_S = 30;

/** A server in a container, controlled through its record file. */
export class DockerServer implements ServerHandle {
  readonly recordPath: string;
  /** The processes may run on another machine. */
  readonly pid = undefined;

  constructor(recordPath: string) {
    this.recordPath = recordPath;
  }

  get record(): DockerRecord {
    const record = readRecord(this.recordPath);
    if (record?.kind !== 'docker') throw new Error(`the server of ${this.recordPath} has been removed`);
    return record;
  }

  async stop(mode: StopMode): Promise<void> {
    const container = await this.#container();
    const { State } = await container.inspect();
    if (!State.Running) return;
    if (State.Paused) await container.unpause();
    if (mode === 'hard') await container.kill({ signal: 'SIGKILL' });
    else await container.stop({ t: CLEAN_STOP_S });
  }

  async start(): Promise<void> {
    const container = await this.#container();
    const { State } = await container.inspect();
    if (!State.Running) await container.start();
    await untilAnswering(this.record.urls, READY_MS);
  }

  async restart(mode: StopMode = 'clean'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  async pause(): Promise<void> {
    await (await this.#container()).pause();
  }

  async resume(): Promise<void> {
    await (await this.#container()).unpause();
  }

  /** Removes the container and its volumes. */
  async remove(): Promise<void> {
    await releaseServer(this.recordPath);
  }

  async #container(): Promise<Container> {
    const { id } = this.record;
    if (id === undefined) throw new Error('the container has not been started yet');
    return (await getContainerRuntimeClient()).container.getById(id);
  }
}

/** Whether a container engine answers, and soon. */
export async function engineAnswers(): Promise<boolean> {
  const client = await Promise.race([
    getContainerRuntimeClient().catch(() => undefined),
    delay(ENGINE_MS, undefined, { ref: false }),
  ]);
  return client !== undefined;
}

interface Image {
  name: string;
  image: string;
  environment: Record<string, string>;
  command?: string[];
  ports: number[];
  /** The URLs under which it answers, from its host and its published ports. */
  urls: (host: string, ports: number[]) => string[];
}

async function startContainer(image: Image, progress: Progress): Promise<DockerServer> {
  const run = await openRun();
  const recordPath = newRecordPath(run, image.name);
  const label = `${run.id}-${image.name}`;
  writeRecord(recordPath, { kind: 'docker', label, urls: [] });
  const server = new DockerServer(recordPath);
  try {
    progress(`starting ${image.image} in Docker`);
    // Ports are chosen here, because Docker would choose other ones when the container is started again.
    const bindings = await Promise.all(
      image.ports.map(async (container) => ({ container, host: await freePort() })),
    );
    const container = new GenericContainer(image.image)
      .withEnvironment(image.environment)
      .withLabels({ [CONTAINER_LABEL]: label })
      .withExposedPorts(...bindings);
    if (image.command) container.withCommand(image.command);
    const started = await container.start();
    const urls = image.urls(
      started.getHost(),
      bindings.map(({ host }) => host),
    );
    writeRecord(recordPath, { kind: 'docker', label, id: started.getId(), urls });
    await untilAnswering(urls, READY_MS);
    return server;
  } catch (error) {
    await server.remove();
    throw new Error(`${image.image} could not be started in Docker: ${String(error)}`, { cause: error });
  }
}

/** PostgreSQL in a container; `CDR_POSTGRES_IMAGE` replaces the image. */
export async function startPostgresContainer(progress: Progress): Promise<DockerServer> {
  const password = randomBytes(12).toString('hex');
  return await startContainer(
    {
      name: 'postgres',
      image: process.env.CDR_POSTGRES_IMAGE ?? 'postgres:17',
      environment: {
        POSTGRES_USER: 'cdr',
        POSTGRES_PASSWORD: password,
        POSTGRES_DB: 'postgres',
        // Decides the encoding where an image makes its databases by its environment.
        LANG: 'C.UTF-8',
        POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C',
      },
      command: ['postgres', '-c', 'max_connections=200'],
      ports: [5432],
      urls: (host, [port]) => [`postgresql://cdr:${password}@${host}:${port}/postgres`],
    },
    progress,
  );
}

/** RabbitMQ with its HTTP API in a container; `CDR_RABBITMQ_IMAGE` replaces the image. */
export async function startRabbitContainer(progress: Progress): Promise<DockerServer> {
  const password = randomBytes(12).toString('hex');
  return await startContainer(
    {
      name: 'rabbitmq',
      image: process.env.CDR_RABBITMQ_IMAGE ?? 'rabbitmq:4-management',
      environment: { RABBITMQ_DEFAULT_USER: 'cdr', RABBITMQ_DEFAULT_PASS: password },
      ports: [5672, 15672],
      urls: (host, [amqp, http]) => [
        `amqp://cdr:${password}@${host}:${amqp}`,
        `http://cdr:${password}@${host}:${http}`,
      ],
    },
    progress,
  );
}
