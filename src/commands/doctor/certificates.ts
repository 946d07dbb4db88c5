import { X509Certificate } from 'node:crypto';
import { healthFrom } from '../../broker/health/health.ts';
import type { Certificates } from '../../connections.ts';
import type { Check } from './check.ts';

const DAY_MS = 86_400_000;
const NOTICE_DAYS = 14;
/** Of a short-lived certificate, whose renewal comes late by plan: of its whole life. */
const NOTICE_SHARE = 0.2;

export interface NamedCertificate {
  whose: string;
  /** As X509Certificate has them. */
  validFrom: string;
  validTo: string;
}

/** The certificates of a connection: that of the server, and those that are set here. Of authorities the last to expire counts. */
export function certificatesOf(
  server: string,
  peer: X509Certificate | undefined,
  { ca, cert }: Certificates = {},
): NamedCertificate[] {
  const [authority] = certificatesIn(ca).sort((a, b) => Date.parse(b.validTo) - Date.parse(a.validTo));
  const [own] = certificatesIn(cert);
  return Object.entries({ [server]: peer, 'the authority': authority, 'the own certificate': own }).flatMap(
    ([whose, found]) =>
      found === undefined ? [] : [{ whose, validFrom: found.validFrom, validTo: found.validTo }],
  );
}

function certificatesIn(pem = ''): X509Certificate[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs)].map(
    ([block]) => new X509Certificate(block),
  );
}

/** Whether certificates last: once one has expired no connection opens. Nothing without TLS. */
export function examineCertificates(certificates: readonly NamedCertificate[], now: number): Check[] {
  if (certificates.length === 0) return [];
  const told = certificates.map(({ whose, validFrom, validTo }) => {
    const left = Date.parse(validTo) - now;
    const life = Date.parse(validTo) - Date.parse(validFrom);
    const notice = Math.min(NOTICE_DAYS * DAY_MS, life * NOTICE_SHARE);
    const days = Math.floor(left / DAY_MS);
    return {
      left,
      notice,
      text: `${whose} ${left <= 0 ? 'has expired' : `expires in ${days} days`} (${validTo})`,
    };
  });
  return [
    {
      check: 'certificates',
      ...healthFrom({
        problems: told.filter(({ left }) => left <= 0).map(({ text }) => text),
        warnings: told.filter(({ left, notice }) => left > 0 && left < notice).map(({ text }) => text),
        fine: told.map(({ text }) => text).join('; '),
      }),
    },
  ];
}
