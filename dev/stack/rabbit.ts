import { randomBytes } from 'node:crypto';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rabbitBinaries } from './binaries.ts';
import { serverUser } from './places.ts';
import { freePort } from './ports.ts';
import { createServer, LocalServer, runTool } from './server.ts';
import type { Progress } from './types.ts';

export interface RabbitOptions {
  /** `name@localhost`; a random one if not given. */
  nodeName?: string;
  /** With RabbitMQ's HTTP API. */
  management?: boolean;
  /** Shares cookie and port mapper with this node, so that both can form a cluster with `ctl`. */
  beside?: RabbitServer;
  /** Further lines of rabbitmq.conf. */
  config?: readonly string[];
  progress?: Progress;
}

const EPMD_PORT = 'ERL_EPMD_PORT';
/** How often the HTTP API learns of changes. By default it is 5 s, which tests would spend waiting. */
const STATISTICS_MS = 500;

/** A RabbitMQ node of this machine's binaries. */
export class RabbitServer extends LocalServer {
  /** The port mapper that was started for this node alone. */
  readonly #epmd: LocalServer | undefined;

  constructor(recordPath: string, epmd?: LocalServer) {
    super(recordPath);
    this.#epmd = epmd;
  }

  get url(): string {
    return this.record.urls.find((url) => url.startsWith('amqp:')) ?? '';
  }

  get managementUrl(): string | undefined {
    return this.record.urls.find((url) => url.startsWith('http:'));
  }

  get nodeName(): string {
    return this.record.env.RABBITMQ_NODENAME ?? '';
  }

  get epmdPort(): number {
    return Number(this.record.env[EPMD_PORT]);
  }

  get cookie(): string {
    return readFileSync(join(this.record.dir, '.erlang.cookie'), 'utf8');
  }

  /** Runs `rabbitmqctl` against this node and returns what it prints. */
  async ctl(args: readonly string[]): Promise<string> {
    const { command, dir, env, user } = this.record;
    return await runTool(join(dirname(command), 'rabbitmqctl'), args, { dir, env, user });
  }

  override async remove(): Promise<void> {
    await super.remove();
    await this.#epmd?.remove();
  }
}

/** Starts a throwaway RabbitMQ node from this machine's binaries. */
export async function startRabbit(options: RabbitOptions = {}): Promise<RabbitServer> {
  const { bin, env } = await rabbitBinaries(options.progress ?? (() => {}));
  const epmd = options.beside ? undefined : await startPortMapper(env);
  const epmdPort = options.beside?.epmdPort ?? portOf(epmd);
  const cookie = options.beside?.cookie ?? randomBytes(12).toString('hex');
  const user = serverUser();
  const [port, distributionPort] = [await freePort(), await freePort()];
  const managementPort = options.management ? await freePort() : undefined;
  const nodeName = options.nodeName ?? `cdr-${randomBytes(4).toString('hex')}@localhost`;
  // Nodes of a cluster share their users, so they must have the same password.
  const password = options.beside ? new URL(options.beside.url).password : randomBytes(12).toString('hex');

  const prepare = async (dir: string) => {
    const cookieFile = join(dir, '.erlang.cookie');
    writeFileSync(cookieFile, cookie, { mode: 0o400 });
    if (user) chownSync(cookieFile, user.uid, user.gid);
    const config = [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      'default_user = cdr',
      `default_pass = ${password}`,
      'log.console = true',
      'log.console.level = info',
      'log.file = false',
      'disk_free_limit.absolute = 50MB',
      'vm_memory_high_watermark.absolute = 2GB',
      ...(managementPort
        ? [
            'management.tcp.ip = 127.0.0.1',
            `management.tcp.port = ${managementPort}`,
            `collect_statistics_interval = ${STATISTICS_MS}`,
          ]
        : []),
      ...(options.config ?? []),
    ];
    writeFileSync(join(dir, 'rabbitmq.conf'), `${config.join('\n')}\n`, { mode: 0o644 });
    writeFileSync(join(dir, 'advanced.config'), `[{rabbit, [{quorum_tick_interval, ${STATISTICS_MS}}]}].\n`, {
      mode: 0o644,
    });
    const plugins = managementPort ? '[rabbitmq_management].\n' : '[].\n';
    writeFileSync(join(dir, 'enabled_plugins'), plugins, { mode: 0o644 });
    return {
      command: join(bin, 'rabbitmq-server'),
      // Erlang ignores unknown flags. This one shows that the process is ours.
      args: ['-cdr_ingest', dir],
      env: { ...env, ...nodeEnv(dir, nodeName, distributionPort, epmdPort) },
      cleanSignal: 'SIGTERM' as const,
      discardSignal: 'SIGKILL' as const,
      urls: [
        `amqp://cdr:${password}@127.0.0.1:${port}`,
        ...(managementPort ? [`http://cdr:${password}@127.0.0.1:${managementPort}`] : []),
      ],
    };
  };
  try {
    return new RabbitServer((await createServer('rabbitmq', user, prepare)).recordPath, epmd);
  } catch (error) {
    await epmd?.remove();
    throw error;
  }
}

function nodeEnv(dir: string, nodeName: string, port: number, epmdPort: number): Record<string, string> {
  return {
    HOME: dir,
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_DIST_PORT: String(port),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: dir,
    RABBITMQ_LOGS: '-',
    RABBITMQ_SCHEMA_DIR: join(dir, 'schema'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    // An installed RabbitMQ has these two in /etc.
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'rabbitmq-env.conf'),
    [EPMD_PORT]: String(epmdPort),
    // Erlang would start a port mapper that outlives everything.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CTL_ERL_ARGS: '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CTL_DIST_PORT_MIN: '32100',
    RABBITMQ_CTL_DIST_PORT_MAX: '32700',
    // Makes the script become the server instead of waiting for it, so that signals reach the right process.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

/** Erlang's port mapper in the foreground, so that it belongs to us and ends with us. */
async function startPortMapper(env: Record<string, string>): Promise<LocalServer> {
  const port = await freePort();
  return await createServer('epmd', serverUser(), async (dir) => ({
    command: 'epmd',
    argv0: join(dir, 'epmd'),
    args: ['-address', '127.0.0.1', '-port', String(port)],
    env,
    cleanSignal: 'SIGTERM',
    discardSignal: 'SIGKILL',
    urls: [`tcp://127.0.0.1:${port}`],
  }));
}

function portOf(server: LocalServer | undefined): number {
  return Number(new URL(server?.record.urls[0] ?? 'tcp://none').port);
}
