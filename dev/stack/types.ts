/** `clean` lets the server shut down, `hard` is like a power failure: SIGKILL for all its processes. */
export type StopMode = 'clean' | 'hard';

/** Control over one server. Works from any process of the machine, not only from the one that started it. */
export interface ServerHandle {
  /** Process id; undefined while the server is down, in Docker, and for given servers. */
  readonly pid: number | undefined;
  /** Resolves when no process of the server is left. Its port and its data stay. */
  stop(mode: StopMode): Promise<void>;
  /** Starts it again on the same port and data; returns when it answers. */
  start(): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** Freezes every process of the server, like a machine that hangs: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export type StackWay = 'given' | 'docker' | 'local';

/** PostgreSQL and RabbitMQ, private to the process that started them, or given. */
export interface Stack {
  readonly way: StackWay;
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  /** RabbitMQ's HTTP API with its credentials, where there is one. */
  readonly managementUrl?: string;
  readonly postgres: ServerHandle;
  readonly rabbitmq: ServerHandle;
  /** Ends the servers and removes their data. Given servers are left alone. */
  stop(): Promise<void>;
}

/** What another process needs to reach a stack, as plain JSON. `records` are paths of record files. */
export interface StackDescription {
  way: StackWay;
  databaseUrl: string;
  amqpUrl: string;
  managementUrl?: string;
  records?: { postgres: string; rabbitmq: string };
}

/** Receives lines about the progress. */
export type Progress = (line: string) => void;
