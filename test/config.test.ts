import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, readConfig, type VariableName, variables } from '../src/config.ts';
import { feedsBeside } from '../src/sources-file.ts';

const DATABASE_URL = 'postgresql://cdr:secret-of-the-database@db:5432/cdr';
const everyName = Object.keys(variables) as VariableName[];

describe('docs/configuration.md', () => {
  const document = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
  const rows = document.split('\n').filter((line) => line.startsWith('| `'));

  it('lists every variable, in the order of the code, and no other', () => {
    expect(rows.map((row) => row.split('`')[1])).toEqual(everyName);
  });

  it.each(everyName.map((name, index) => ({ name, index })))('says of $name what the code says', (row) => {
    const { fallback, expected, description, ...rest } = variables[row.name];
    const isSecret = 'secret' in rest;
    const shown = fallback === null ? 'must be given' : fallback === '' ? 'none' : `\`${fallback}\``;
    const cells = [`\`${row.name}\``, shown, expected, isSecret ? `${description} Secret.` : description];
    expect(rows[row.index]).toBe(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  });
});

describe('readConfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-config-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function fileWith(text: string): string {
    const path = join(directory, 'value');
    writeFileSync(path, text);
    return path;
  }

  it('takes the default of everything that has one', () => {
    const config = readConfig(['SYSTEM_CURRENCY', 'HTTP_PORT', 'BATCH_SIZE', 'IGNORED_PARAMETERS'], {});
    expect(config).toEqual({
      SYSTEM_CURRENCY: 'USD',
      HTTP_PORT: 8080,
      BATCH_SIZE: 500,
      IGNORED_PARAMETERS: [],
    });
  });

  it('accepts every default that the document promises', () => {
    const withDefault = everyName.filter((name) => variables[name].fallback !== null);
    expect(() => readConfig(withDefault, {})).not.toThrow();
  });

  it('counts an empty variable as missing', () => {
    expect(readConfig(['HTTP_PORT'], { HTTP_PORT: '' })).toEqual({ HTTP_PORT: 8080 });
    expect(() => readConfig(['DATABASE_URL'], { DATABASE_URL: '' })).toThrow(/^DATABASE_URL is missing: /);
  });

  it('names the variable, the expected form and the given value', () => {
    expect(() => readConfig(['HTTP_PORT'], { HTTP_PORT: '70000' })).toThrow(
      new ConfigError('HTTP_PORT: expected a port from 0 to 65535, got "70000"'),
    );
  });

  it('names every wrong variable at once, a line each', () => {
    const environment = { HTTP_PORT: 'http', BATCH_SIZE: '0' };
    expect(() => readConfig(['DATABASE_URL', 'HTTP_PORT', 'BATCH_SIZE'], environment)).toThrow(
      /^DATABASE_URL is missing: .+\nHTTP_PORT: .+\nBATCH_SIZE: .+$/,
    );
  });

  it.each([
    ['HTTP_PORT', '8080.5'],
    ['HTTP_PORT', '-1'],
    ['HTTP_PORT', ' 8080'],
    ['LOG_LEVEL', 'INFO'],
    ['SYSTEM_CURRENCY', 'usd'],
    ['OPEN_INVOICE_STATUSES', ','],
    ['OPEN_INVOICE_STATUSES', 'open,in progress'],
    ['REPLY_TO_ALLOW', '(unclosed'],
    ['IGNORED_PARAMETERS', 'colour,cost'],
    ['IGNORED_PARAMETERS', '*'],
    ['IGNORED_PARAMETERS', 'x_*,*_y'],
    ['IGNORED_PARAMETERS', 'x**'],
    ['PREFETCH', '1e3'],
    ['BILLED_EXCHANGE', 'cdrs'],
    ['BILLED_EXCHANGE', 'cdrs.dead'],
    ['BILLED_EXCHANGE', 'amq.topic'],
    ['BILLED_EXCHANGE', 'ä'.repeat(128)],
  ] as const)('refuses %s=%s', (name, value) => {
    expect(() => readConfig([name], { [name]: value })).toThrow(`got ${JSON.stringify(value)}`);
  });

  it('refuses to tell calls to the exchange of a feed, by which they would come in again', () => {
    const feed =
      'format: json, as: u, machines: [m], call: { uniqueid: i, machine: m, start: { from: s, time: s }, scustomer: c }';
    const path = fileWith(`fs-1: { exchange: from.fs, ${feed} }`);
    expect(feedsBeside('rating.billed', path).map(({ name }) => name)).toEqual(['fs-1']);
    expect(() => feedsBeside('from.fs', path)).toThrow(
      new ConfigError(
        'BILLED_EXCHANGE: expected an exchange of no feed, got "from.fs", which is that of fs-1',
      ),
    );
  });

  it.each([
    ['DATABASE_URL', 'mysql://cdr:secret-word@db/cdr'],
    ['DATABASE_URL', 'secret-word'],
    ['AMQP_URL', 'amqp://good:secret-word@one,http://bad:secret-word@two'],
  ] as const)('refuses %s=%s without showing it', (name, value) => {
    const read = () => readConfig([name], { [name]: value });
    expect(read).toThrow(`${name}: expected ${variables[name].expected}, got`);
    expect(read).not.toThrow(/secret-word/);
  });

  it('splits lists, and leaves out what is empty between commas', () => {
    const environment = { AMQP_URL: 'amqp://one, amqp://two,', IGNORED_PARAMETERS: 'colour, ,x_*' };
    const config = readConfig(['AMQP_URL', 'IGNORED_PARAMETERS'], environment);
    expect(config).toEqual({
      AMQP_URL: ['amqp://one', 'amqp://two'],
      IGNORED_PARAMETERS: ['colour', 'x_*'],
    });
  });

  it('takes several words for the statuses of open invoices', () => {
    const environment = { OPEN_INVOICE_STATUSES: 'open, draft,Approved' };
    expect(readConfig(['OPEN_INVOICE_STATUSES'], environment)).toEqual({
      OPEN_INVOICE_STATUSES: ['open', 'draft', 'Approved'],
    });
    expect(readConfig(['OPEN_INVOICE_STATUSES'], {})).toEqual({ OPEN_INVOICE_STATUSES: ['open'] });
  });

  it('reads a value from the file that NAME_FILE names, without the line break at its end', () => {
    const environment = { DATABASE_URL_FILE: fileWith(`${DATABASE_URL}\n`) };
    expect(readConfig(['DATABASE_URL'], environment)).toEqual({ DATABASE_URL });
  });

  it('prefers NAME to NAME_FILE, unless it is empty', () => {
    const HTTP_PORT_FILE = fileWith('9090');
    expect(readConfig(['HTTP_PORT'], { HTTP_PORT: '9191', HTTP_PORT_FILE })).toEqual({ HTTP_PORT: 9191 });
    expect(readConfig(['HTTP_PORT'], { HTTP_PORT: '', HTTP_PORT_FILE })).toEqual({ HTTP_PORT: 9090 });
  });

  it('names a file that cannot be read', () => {
    const environment = { DATABASE_URL_FILE: join(directory, 'absent') };
    expect(() => readConfig(['DATABASE_URL'], environment)).toThrow(
      `DATABASE_URL_FILE: expected a readable file, got "${environment.DATABASE_URL_FILE}"`,
    );
  });

  it('shows nothing of a secret that came from a file', () => {
    const environment = { DATABASE_URL_FILE: fileWith('mysql://cdr:secret-word@db/cdr') };
    expect(() => readConfig(['DATABASE_URL'], environment)).toThrow(/got "mysql:\/\/…" \(not shown\)$/);
  });

  it('looks at no variable that was not asked for', () => {
    expect(() => readConfig(['HTTP_PORT'], { DATABASE_URL: 'nonsense' })).not.toThrow();
  });

  it('gives what nobody can change any more', () => {
    expect(readConfig(['HTTP_PORT'], {})).toSatisfy(Object.isFrozen);
  });
});
