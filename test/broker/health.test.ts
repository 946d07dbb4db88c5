import { expect, it } from 'vitest';
import { brokerHealth } from '../../src/broker/health/broker.ts';
import { fullness } from '../../src/broker/health/lag.ts';
import type { Managed } from '../../src/broker/health/managed.ts';
import { nodesHealth, quorumHealth } from '../../src/broker/health/nodes.ts';

const node = (name: string, version: string) => ({
  name,
  running: true,
  mem_alarm: false,
  disk_free_alarm: false,
  partitions: [],
  applications: [{ name: 'rabbit', version }],
});

const queue = (members: string[], online: string[]): Managed => ({
  kind: 'managed',
  nodes: [node('a', '4.1.0'), node('b', '4.1.0'), node('c', '4.1.0')],
  queues: [
    { name: 'cdrs.create', type: 'quorum', arguments: {}, effective_policy_definition: {}, members, online },
  ],
});

it.each([
  ['3.9.29', 'amqp://cdr:word@mq/v', 'failed'],
  ['2.8.7', 'amqp://cdr:word@mq/v', 'failed'],
  ['3.10.0', 'amqp://cdr:word@mq/v', 'ok'],
  ['4.2.1', 'amqp://cdr:word@mq/v', 'ok'],
  ['4.2.1', 'amqp://guest:guest@mq/v', 'warning'],
  ['4.2.1', 'amqp://mq/v', 'warning'],
  ['4.2.1', 'amqp://guest:other@mq/v', 'ok'],
  ['4.2.1', 'amqp://guest:guest@localhost/v', 'ok'],
  ['4.2.1', 'amqp://guest:guest@127.0.0.1:5673/v', 'ok'],
  ['4.2.1', 'amqp://guest:guest@[::1]/v', 'ok'],
])('RabbitMQ %s at %s is %s', (serverVersion, url, state) => {
  expect(brokerHealth({ broker: 'mq', serverVersion }, url).state).toBe(state);
});

it('nodes of different versions are a warning, and a node that is down is a failure with it', () => {
  const nodes = [node('a', '3.13.7'), node('b', '4.1.0')];
  expect(nodesHealth({ kind: 'managed', queues: [], nodes })).toEqual({
    state: 'warning',
    detail: 'the nodes run 3.13.7 and 4.1.0: finish the upgrade of the cluster',
  });
  const down = { ...node('c', '4.1.0'), running: false, applications: [] };
  expect(nodesHealth({ kind: 'managed', queues: [], nodes: [...nodes, down] })).toMatchObject({
    state: 'failed',
    detail: expect.stringMatching(/^c is down\. .*; the nodes run 3\.13\.7 and 4\.1\.0/),
  });
});

it('a node whose disk will soon raise its alarm is a warning', () => {
  const nodes = [{ ...node('a', '4.1.0'), disk_free_limit: 50 * 2 ** 20, disk_free: 99 * 2 ** 20 }];
  expect(nodesHealth({ kind: 'managed', queues: [], nodes })).toEqual({
    state: 'warning',
    detail: 'a has 99 MiB of disk left, and blocks publishers below 50 MiB',
  });
});

it.each([
  [{ messages: 9 }, 0],
  [{ messages: 10 }, 1],
  [{ messages: 1, message_bytes: 5000 }, 1],
])(
  'a queue with %j that a policy bounds to 10 messages and 5000 bytes is said %d times to be full',
  (size, times) => {
    const managed = queue(['a'], ['a']);
    const [create] = managed.kind === 'managed' ? managed.queues : [];
    if (create === undefined) throw new Error('there is a queue');
    const bounded = { 'max-length': 10, 'max-length-bytes': 5000 };
    const queues = [{ ...create, ...size, effective_policy_definition: bounded }];
    expect(fullness({ kind: 'managed', nodes: [], queues }, 'cdrs.create')).toHaveLength(times);
  },
);

it('a queue without a majority of its members is said to take nothing', () => {
  expect(quorumHealth(queue(['a', 'b', 'c'], ['a', 'b', 'c']))).toMatchObject({ state: 'ok' });
  expect(quorumHealth(queue(['a', 'b', 'c'], ['a', 'b'])).detail).not.toContain('majority');
  expect(quorumHealth(queue(['a', 'b', 'c'], ['a'])).detail).toContain(
    'cdrs.create has no majority: it takes and gives nothing',
  );
});

it('of queues that do not exist nothing is said to be in order', () => {
  expect(quorumHealth({ kind: 'managed', queues: [], nodes: [] })).toMatchObject({ state: 'unknown' });
});
