import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { clientOf, trustedProxies } from '../../src/ops/client.ts';

const isTrusted = trustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);

const from = (remoteAddress: string | undefined, forwarded?: string, proto?: string) =>
  clientOf(
    {
      socket: { remoteAddress },
      headers: {
        ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
        ...(proto !== undefined && { 'x-forwarded-proto': proto }),
      },
    },
    isTrusted,
  );

describe('the client of a request', () => {
  it.each([
    ['a stranger, whatever it says of itself', '203.0.113.5', '198.51.100.1', '203.0.113.5'],
    ['the one before the proxy', '10.1.1.1', '203.0.113.5', '203.0.113.5'],
    [
      'the last that is no proxy: what stands before it can be made up',
      '10.1.1.1',
      '1.1.1.1, 203.0.113.5, 10.2.2.2',
      '203.0.113.5',
    ],
    ['the proxy itself where it names nobody', '10.1.1.1', undefined, '10.1.1.1'],
    ['the first of several proxies alone', '10.1.1.1', '10.9.9.9, 192.0.2.7', '10.9.9.9'],
    ['the last that can be read', '10.1.1.1', '203.0.113.5, unknown, 10.2.2.2', '10.2.2.2'],
    ['without its port', '10.1.1.1', '203.0.113.5:4711', '203.0.113.5'],
    ['IPv4 that comes as IPv6', '::ffff:10.1.1.1', '::ffff:203.0.113.5', '203.0.113.5'],
    ['the same written in hex', '10.1.1.1', '::FFFF:CB00:7105', '203.0.113.5'],
    ['IPv6 by its first 64 bits', 'fd00::1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['IPv6 with brackets and a port', 'fd00::1', '[2001:db8::1]:443', '2001:db8:0:0::/64'],
    ['IPv6 with a zone', 'fe80::1%eth0', undefined, 'fe80:0:0:0::/64'],
    ['nobody', undefined, undefined, ''],
    ['the peer where the header is nonsense', '10.1.1.1', ',,, ;<script>', '10.1.1.1'],
  ])('is %s', (_what, peer, forwarded, address) => {
    expect(from(peer, forwarded).address).toBe(address);
  });

  it('is on TLS where a trusted proxy says so, as the last one saw it', () => {
    expect(from('10.1.1.1', '203.0.113.5', 'https').isHttps).toBe(true);
    expect(from('10.1.1.1', '203.0.113.5', 'http, HTTPS').isHttps).toBe(true);
    expect(from('10.1.1.1', '203.0.113.5', 'https, http').isHttps).toBe(false);
    expect(from('10.1.1.1', '203.0.113.5').isHttps).toBe(false);
    expect(from('203.0.113.5', undefined, 'https').isHttps).toBe(false);
  });

  it('is not believed where it is no trusted proxy, and that is told', () => {
    expect(from('203.0.113.5', '198.51.100.1').isUnbelieved).toBe(true);
    expect(from('203.0.113.5').isUnbelieved).toBe(false);
    expect(from('10.1.1.1', '198.51.100.1').isUnbelieved).toBe(false);
  });
});

describe('CONSOLE_TRUSTED_PROXIES', () => {
  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'proxy.example',
    'fd00::/129',
    '10.0.0.1/-1',
    '10.0.0.1/',
    '10.0.0.1-9',
  ])('refuses %s', (text) => {
    expect(() => readConfig(['CONSOLE_TRUSTED_PROXIES'], { CONSOLE_TRUSTED_PROXIES: text })).toThrow(
      /^CONSOLE_TRUSTED_PROXIES: expected addresses or networks/,
    );
  });

  it('takes addresses and networks of both families', () => {
    const text = '127.0.0.1, 10.0.0.0/8,::1,fd00::/8';
    const { CONSOLE_TRUSTED_PROXIES } = readConfig(['CONSOLE_TRUSTED_PROXIES'], {
      CONSOLE_TRUSTED_PROXIES: text,
    });
    expect(CONSOLE_TRUSTED_PROXIES).toEqual(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']);
  });
});
