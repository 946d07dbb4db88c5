import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/commands/program.ts';
import { variables } from '../../src/config.ts';
import { startProcess } from '../support/worker.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const SAMPLES = fileURLToPath(new URL('../../dev/samples/', import.meta.url));
const CALLS = `${SAMPLES}more.jsonl`;
const RECORDS = `${SAMPLES}freeswitch.jsonl`;

/** Nothing listens on port 1. */
const environment = {
  DATABASE_URL: 'postgresql://cdr:secret-word@127.0.0.1:1/cdr',
  AMQP_URL: 'amqp://cdr:secret-word@127.0.0.1:1/v',
  CDR_USERNAME: 'boss',
  CDR_PASSWORD: 'secret-word',
  SOURCES_FILE: `${SAMPLES}sources.yaml`,
};

/** Writes the names of the environment variables that were read to file descriptor 3. */
const RECORDER = `import { writeSync } from 'node:fs';
const read = new Set();
process.env = new Proxy(process.env, { get: (env, name) => { read.add(String(name)); return env[name]; } });
process.on('exit', () => writeSync(3, [...read].join(' ')));`;

async function run(args: readonly string[]) {
  const preload = `--import=data:text/javascript,${encodeURIComponent(RECORDER)}`;
  const child = spawn(process.execPath, [preload, CLI, ...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  }) as ChildProcessByStdio<null, Readable, Readable>;
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const recorded = child.stdio[3] as Readable;
  const [stdout, stderr, names] = await Promise.all([text(child.stdout), text(child.stderr), text(recorded)]);
  return {
    code: await ended,
    stdout,
    stderr,
    read: names
      .split(' ')
      .filter((name) => name in variables)
      .sort(),
  };
}

/** The variables that the help of a command lists. */
async function listed(args: readonly string[]): Promise<string[]> {
  let command = await createProgram('1.0.0', args[0]);
  for (const arg of args) command = command.commands.find((child) => child.name() === arg) ?? command;
  let help = '';
  command.configureOutput({ writeOut: (part) => (help += part) }).outputHelp();
  const names = [...help.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name = '']) => name);
  return names.filter((name) => name in variables).sort();
}

const NO_DATABASE =
  'cdr-ingest: cannot reach the database at 127.0.0.1:1; DATABASE_URL must lead to a running PostgreSQL primary: postgresql://user:password@host:5432/database\n';
const NO_BROKER =
  /^cdr-ingest: amqp:\/\/cdr:\*\*\*@127\.0\.0\.1:1\/v cannot be reached: .*; AMQP_URL must lead to a running RabbitMQ: amqp:\/\/user:password@host:5672\/vhost\n$/;

describe('with no server on the port', () => {
  it.each([
    [['migrate']],
    [['reconcile']],
    [['prune', '--months', '24']],
    [['user', 'list']],
    [['user', 'disable', 'x']],
    [['user', 'add', 'x', '--role', 'system']],
    [['dead', 'list']],
    [['dead', 'list', '--group-by', 'reason']],
    [['dead', 'show', '1']],
    [['dead', 'export']],
    [['dead', 'discard', '1']],
    [['dead', 'reopen', '1']],
    [['dead', 'log']],
    [['dead', 'prune', '--older-than', '90d']],
    [['dead', 'replay', '1']],
  ])('`%s` names the database in one line, and has read the variables of its help', async (args) => {
    const { read, ...result } = await run(args);
    expect(result).toEqual({ code: 1, stdout: '', stderr: NO_DATABASE });
    expect(read).toEqual(await listed(args));
  });

  it.each([
    [['topology']],
    [['topology', '--check']],
    [['publish', CALLS]],
    [['publish', '--source', 'fs-ams-1', RECORDS]],
  ])('`%s` names the broker in one line, and has read the variables of its help', async (args) => {
    const { read, ...result } = await run(args);
    expect(result).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(NO_BROKER) });
    // Each of both ways to publish needs some of them: credentials, or the sources file.
    const mayBeLeft = args[0] === 'publish' ? ['CDR_PASSWORD', 'CDR_USERNAME', 'SOURCES_FILE'] : [];
    const wanted = await listed(args);
    expect(wanted).toEqual(expect.arrayContaining(read));
    expect(wanted.filter((name) => !read.includes(name) && !mayBeLeft.includes(name))).toEqual([]);
  });

  it('`doctor` reports both as failed checks, and skips what depends on them', async () => {
    const { read, code, stdout, stderr } = await run(['doctor']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^failed +broker +amqp:\/\/cdr:\*\*\*@127\.0\.0\.1:1\/v cannot be reached/m);
    expect(stdout).toMatch(/^failed +database +cannot reach the database at 127\.0\.0\.1:1; DATABASE_URL/m);
    expect(stdout).toMatch(/^unknown +schema +skipped: database unreachable$/m);
    expect(stdout).not.toContain('secret-word');
    expect(read).toEqual(await listed(['doctor']));
  });

  it('`console` names the database in its log, and serves', async () => {
    const running = await startProcess(['console'], { ...environment, CONSOLE_PORT: '0' });
    await running.logged('cannot reach the database at 127.0.0.1:1; DATABASE_URL must lead to');
    const page = await fetch(`http://127.0.0.1:${await running.port()}/sign-in`);
    expect(page.status).toBe(200);
    expect(running.output()).not.toContain('secret-word');
    expect(await running.stop()).toBe(0);
  });
});
