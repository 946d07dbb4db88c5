/** `clean` lets the server finish its shutdown, `hard` is a power cut: SIGKILL for every one of its processes. */
export type StopMode = 'clean' | 'hard';

/** Control over one server. Works from any process of the machine, not only from the one that started it. */
export interface ServerHandle {
  /** Process id, undefined while the server is down or where it is not ours to know (Docker, given). */
  readonly pid: number | undefined;
  /** Returns when no process of the server is left. Its port and its data stay. */
  stop(mode: StopMode): Promise<void>;
  /** Starts it again on the same port and data; returns when it answers. */
  start(): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** Freezes every process of the server, as a machine that hangs: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export type StackWay = 'given' | 'docker' | 'local';

/** PostgreSQL and RabbitMQ, private to whoever started them unless they were given. */
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

/** What another process needs to reach a stack: plain JSON. The references name record files. */
export interface StackDescription {
  way: StackWay;
  databaseUrl: string;
  amqpUrl: string;
  managementUrl?: string;
  records?: { postgres: string; rabbitmq: string };
}

/** Takes a line about what is being done; the caller decides where it is shown. */
export type Progress = (line: string) => void;
