import { describe, expect, it } from 'vitest';
import { nodeOfDirectAddress } from '../../../src/broker/direct-replies/addresses.ts';
import { addressOfNoNode, closing, closingOnThree, ignored } from '../../support/direct.ts';

/** The broker closes the connection over these although they are well formed. */
const WELL_FORMED = ['a node that is gone', 'a node of that name', 'a node with a hash that is none'];

describe('a direct reply address', () => {
  it('names its node', () => {
    // As RabbitMQ 3.10 issued it.
    const given =
      'amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2Mzg3ODYxMgAAAyAAAAAAawnmNQ==.aRuybEip8OQx7MTuuO7f1A==';
    expect(nodeOfDirectAddress(given)).toBe('reply@63878612');
    expect(nodeOfDirectAddress(addressOfNoNode(7))).toBe('reply@1000000007');
  });

  it.each(Object.entries({ ...closing, ...closingOnThree, ...ignored }))(
    'names a node only if it is well formed: %s',
    (name, address) => {
      if (WELL_FORMED.includes(name)) expect(nodeOfDirectAddress(address)).toContain('@');
      else expect(nodeOfDirectAddress(address)).toBe(null);
    },
  );

  it.each(['', 'amq.rabbitmq.reply-to', 'amq.gen-x', 'kamailio-1', 'cdrs.results'])(
    'has the prefix of one: not %j',
    (address) => expect(nodeOfDirectAddress(address)).toBe(null),
  );
});
