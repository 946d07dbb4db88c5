import { expect, it } from 'vitest';
import { describeBroker } from '../../src/broker/connect.ts';

it('a broker is shown without its password', () => {
  expect(describeBroker('amqp://me:s3cret@rabbit:5672/billing?heartbeat=1')).toBe(
    'amqp://me:***@rabbit:5672/billing',
  );
  expect(describeBroker('amqps://rabbit')).toBe('amqps://rabbit');
  expect(describeBroker('me:s3cret@rabbit')).not.toContain('s3cret');
  expect(describeBroker('::')).toBe('an invalid broker URL');
});
