import { describe, expect, it } from 'vitest';
import { type ConnectionSettings, connectionConfig } from '../../src/store/connection.ts';
import { DatabaseUrlError } from '../../src/store/database-url.ts';

const SECRET = 'geheim';

function configOf(url: string, more: Partial<ConnectionSettings> = {}) {
  return connectionConfig({
    url,
    applicationName: 'test',
    connectTimeoutMs: 1,
    poolSize: 1,
    statementTimeoutMs: 1,
    lockTimeoutMs: 1,
    ...more,
  });
}

function refusalOf(url: string): string {
  try {
    configOf(url);
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a database URL', () => {
  it('becomes settings, none of which the driver takes from anywhere else', () => {
    const config = configOf(
      `postgresql://cdr%40x:p%2F%3A%23@[::1]:5433/a%2Fb?sslmode=verify-full&options=-c%20x%3D1`,
    );
    expect(config).toMatchObject({
      host: '::1',
      port: 5433,
      user: 'cdr@x',
      password: 'p/:#',
      database: 'a/b',
      ssl: {},
      client_encoding: 'UTF8',
      application_name: 'test',
    });
    expect(config.options).toBe('-c x=1');
    expect(config).not.toHaveProperty('connectionString');
  });

  it.each([
    ['the usual port', 'postgresql://u:p@db/x', { host: 'db', port: 5432, ssl: false }],
    ['this machine', 'postgres:///x', { host: 'localhost', database: 'x' }],
    ['a socket in its place', 'postgresql://u@%2Fvar%2Frun%2Fpg/x', { host: '/var/run/pg' }],
    ['a socket as a parameter', 'postgresql:///x?host=/var/run/pg', { host: '/var/run/pg', ssl: false }],
    ['a name for the statistics', 'postgresql://u@h/x?application_name=a%20b', { application_name: 'a b' }],
    ['the one schema', 'postgresql://u@h/x?schema=public', { database: 'x' }],
    ['an escaped name', 'postgresql://u@h/x?%73slmode=verify-full', { ssl: {} }],
  ])('names %s', (_what, url, expected) => {
    expect(configOf(url)).toMatchObject(expected);
  });

  it.each([
    ['?sslmode=verify-full&ssl=0', 'has ssl: expected only sslmode'],
    ['?ssl=0', 'has ssl:'],
    ['?sslmode=verify-full&%73sl=false', 'has ssl:'],
    ['?ssl=no-verify&sslmode=verify-full', 'has ssl:'],
    ['?sslmode=disable&sslmode=verify-full', 'has sslmode twice'],
    ['?sslmode=verify-full&sslmode=disable', 'has sslmode twice'],
    ['?SSLMODE=verify-full', 'has SSLMODE:'],
    ['?sslmode=VERIFY-FULL', 'has sslmode=VERIFY-FULL: expected'],
    ['?sslmode=', 'another sslmode: expected'],
    ['?sslmode=no-verify', 'has sslmode=no-verify: expected'],
    ['?sslmode=prefer', 'has sslmode=prefer: expected'],
    ['?sslmode=allow', 'has sslmode=allow: expected'],
    ['?uselibpqcompat=true&sslmode=require', 'has uselibpqcompat:'],
    ['?sslnegotiation=direct', 'has sslnegotiation:'],
    ['?sslpassword=geheim', 'has sslpassword:'],
    ['?sslrootcert=/ca', 'give certificates in DATABASE_TLS_CA'],
    ['?SslCert=/c', 'give certificates in DATABASE_TLS_CA'],
    ['?requiressl=0', 'has requiressl:'],
    ['?channel_binding=require', 'has channel_binding:'],
    ['?host=127.0.0.1', 'has host: expected it in its place'],
    ['?host=/tmp', 'has host: expected it in its place'],
    ['?hostaddr=127.0.0.1', 'has hostaddr:'],
    ['?port=1', 'has port:'],
    ['?user=x', 'has user:'],
    ['?password=geheim', 'has password:'],
    ['?dbname=x', 'has dbname:'],
    ['?statement_timeout=0', 'has statement_timeout:'],
    ['?client_encoding=LATIN1', 'has client_encoding:'],
    ['?replication=database', 'has replication:'],
    ['?pgbouncer=true', 'has pgbouncer:'],
    ['?options=-c%20a%3D1&options=-c%20b%3D1', 'has options twice'],
    ['?geheim=1', 'has a parameter of another name'],
    ['?schema=geheim', 'names a schema'],
    ['#geheim', 'has a #, / or @'],
  ])('with %s is refused by name', (tail, expected) => {
    const refusal = refusalOf(`postgresql://cdr:${SECRET}@h/x${tail}`);
    expect(refusal).toContain(expected);
    expect(refusal).not.toContain(SECRET);
  });

  it.each([
    ['a password with a /', 'postgresql://cdr:12/geheim@h/x'],
    ['a password with a ?', 'postgresql://cdr:12?geheim@h/x'],
    ['a password with a ? and an &', 'postgresql://cdr:12?geheim&y@h/x'],
    ['a password with a #', 'postgresql://cdr:12#geheim@h/x'],
    ['a password with a %', 'postgresql://cdr:geheim%@h/x'],
    ['a user with a broken escape', 'postgresql://geheim%zz:x@h/x'],
    ['several hosts', 'postgresql://cdr:geheim@h,i/x'],
    ['a host with a broken escape', 'postgresql://cdr:geheim@%zz/x'],
    ['another protocol', 'mysql://cdr:geheim@h/x'],
    ['nothing of a URL', 'geheim'],
    ['a socket with TLS', 'postgresql://cdr:geheim@%2Ftmp/x?sslmode=verify-full'],
  ])('with %s is refused without showing any of it', (_what, url) => {
    expect(refusalOf(url)).not.toContain(SECRET);
  });
});
