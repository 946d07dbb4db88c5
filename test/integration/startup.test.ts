import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Isolated } from '../../dev/stack.ts';
import { testServices } from '../support/stack.ts';
import { startProcess } from '../support/worker.ts';

let services: Isolated;
beforeAll(async () => {
  services = await testServices('startup');
});
afterAll(() => services?.drop());

const urls = () => ({ DATABASE_URL: services.databaseUrl, AMQP_URL: services.amqpUrl, HTTP_PORT: '0' });
const STACK_TRACE = /^\s+at .*:\d+:\d+\)?$/m;

describe('wrong configuration', () => {
  it.each([
    ['a missing DATABASE_URL', { DATABASE_URL: '' }, 'DATABASE_URL is missing: expected postgresql://'],
    [
      'a DATABASE_URL of another kind',
      { DATABASE_URL: 'mysql://u:canary@h/d' },
      'DATABASE_URL: expected postgresql://',
    ],
    ['a missing AMQP_URL', { AMQP_URL: '' }, 'AMQP_URL is missing: expected amqp://'],
    ['a port that is none', { HTTP_PORT: 'web' }, 'HTTP_PORT: expected a port from 0 to 65535, got "web"'],
    [
      'a pattern that is none',
      { REPLY_TO_ALLOW: '(' },
      'REPLY_TO_ALLOW: expected a regular expression, got "("',
    ],
  ])('ends the worker with code 2 and one line: %s', async (_, wrong, line) => {
    const worker = await startProcess(['worker'], { ...urls(), ...wrong });
    expect(await worker.ended).toBe(2);
    expect(worker.output()).toContain(line);
    expect(worker.output()).not.toMatch(STACK_TRACE);
    expect(worker.output()).not.toContain('canary');
  });

  it.each([
    ['an unknown command', ['work']],
    ['an unknown option', ['worker', '--fast']],
    ['a role that is none', ['user', 'add', 'x', '--role', 'king']],
  ])('ends a command with code 2: %s', async (_, args) => {
    const command = await startProcess(args, urls());
    expect(await command.ended).toBe(2);
    expect(command.output()).not.toMatch(STACK_TRACE);
  });
});

describe('services that are not there', () => {
  it.each([
    [
      'a database that cannot be reached',
      { DATABASE_URL: 'postgresql://u:canary@127.0.0.1:9/d' },
      'the database cannot be used',
    ],
    ['a database that is not migrated', {}, 'the database is not migrated: run \\"cdr-ingest migrate\\"'],
  ])('are waited for, with a clear line: %s', async (_, wrong, line) => {
    const worker = await startProcess(['worker'], { ...urls(), ...wrong });
    await worker.logged(line);
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).not.toMatch(STACK_TRACE);
    expect(worker.output()).not.toContain('canary');
  });

  it('are waited for: a broker that cannot be reached, and a database migrated while the worker waits', async () => {
    const worker = await startProcess(['worker'], { ...urls(), AMQP_URL: 'amqp://u:canary@127.0.0.1:9/v' });
    await worker.logged('the database is not migrated');
    const migration = await startProcess(['migrate'], urls());
    expect(await migration.ended).toBe(0);
    await worker.logged('amqp://u:***@127.0.0.1:9/v cannot be reached');
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).not.toContain('canary');
    const again = await startProcess(['migrate'], urls());
    expect(await again.ended).toBe(0);
    expect(again.output()).toContain('up to date');
  });
});
