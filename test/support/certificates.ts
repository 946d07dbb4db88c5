import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataBase, serverUser } from '../../dev/stack/places.ts';

/** Files of a certificate and its key, each PEM. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** A CA for tests and the certificates it has signed, in a directory that the servers' user can read. */
export interface TestAuthority {
  /** File with its certificate. */
  ca: string;
  /** A certificate for these names (`DNS:…`, `IP:…`), or for a client without any. */
  issue: (commonName: string, names?: readonly string[]) => CertificateFiles;
  remove: () => void;
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });

/** Makes a private CA. */
export function testAuthority(name: string): TestAuthority {
  const directory = mkdtempSync(join(dataBase(), 'cdr-ingest-certificates-'));
  chmodSync(directory, 0o755);
  const file = (suffix: string) => join(directory, suffix);
  const ca = { cert: file('ca.crt'), key: file('ca.key') };
  const key = (path: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    path,
  ];
  openssl('req', '-x509', ...key(ca.key), '-out', ca.cert, '-days', '2', '-subj', `/CN=${name}`);

  function issue(commonName: string, names: readonly string[] = []): CertificateFiles {
    const files = { cert: file(`${commonName}.crt`), key: file(`${commonName}.key`) };
    const [request, extensions] = [file('request'), file('extensions')];
    openssl('req', '-new', ...key(files.key), '-out', request, '-subj', `/CN=${commonName}`);
    const alternatives = names.length > 0 ? `subjectAltName=${names.join(',')}\n` : '';
    writeFileSync(extensions, `basicConstraints=CA:FALSE\n${alternatives}`);
    const signer = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-out',
      files.cert,
      '-days',
      '2',
      '-extfile',
      extensions,
      ...signer,
    );
    // PostgreSQL insists on owning its key, and on nobody else being able to read it.
    const user = serverUser();
    if (user !== undefined) chownSync(files.key, user.uid, user.gid);
    chmodSync(files.key, 0o600);
    return files;
  }

  return { ca: ca.cert, issue, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The text of a PEM file. */
export const pem = (path: string) => readFileSync(path, 'utf8');
