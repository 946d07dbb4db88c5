import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import * as z from 'zod';
import type { BrokerTls } from '../connect.ts';
import { describeError } from '../log.ts';

/** An answer of RabbitMQ's HTTP API. `unavailable`: one line why there is none. */
export type ManagementAnswer =
  | { kind: 'found'; body: unknown }
  | { kind: 'missing' }
  | { kind: 'unavailable'; problem: string };

/** What is changed at a path. */
export type ManagementChange = { method: 'PUT'; body: object } | { method: 'DELETE' };

/** Gets a path below `/api/`, or changes it. Never rejects: a broker without this API is an expected outcome. */
export type Management = (path: string, change?: ManagementChange) => Promise<ManagementAnswer>;

/** Arguments and policies. RabbitMQ's JSON writes an empty object as an empty list. */
export const settings = z.preprocess(
  (value) => (Array.isArray(value) || value === null ? {} : value),
  z.record(z.string(), z.unknown()).default({}),
);

const TIMEOUT_MS = 10_000;
/** RabbitMQ's default ports for the API. */
const PORTS = { 'amqp:': 'http://HOST:15672', 'amqps:': 'https://HOST:15671' };

/** The default URL of the API: the host of an AMQP URL, with its credentials, and with TLS if that has it. */
export function managementUrlOf(amqpUrl: string): string {
  const { protocol, hostname, username, password } = new URL(amqpUrl);
  const url = new URL(PORTS[protocol === 'amqps:' ? 'amqps:' : 'amqp:'].replace('HOST', hostname));
  url.username = username || 'guest';
  url.password = password || 'guest';
  return url.href;
}

/** @param url http(s)://user:password@host:port */
export function openManagement(url: string, tls: BrokerTls | undefined): Management {
  const { origin, username, password, protocol } = new URL(url);
  const auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const ask = protocol === 'https:' ? requestHttps : requestHttp;
  return (path, change) =>
    new Promise((resolve) => {
      const unavailable = (problem: string) =>
        resolve({ kind: 'unavailable', problem: `${origin}: ${problem.replace(/\s+/g, ' ').trim()}` });
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const method = change?.method ?? 'GET';
      const tag = change === undefined ? 'monitoring' : 'policymaker';
      const asking = ask(
        new URL(`/api/${path}`, origin),
        { ...tls, method, auth, agent: false, signal },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (error) => unavailable(describeError(error)));
          response.on('end', () => {
            const { statusCode } = response;
            if (statusCode === 404) return resolve({ kind: 'missing' });
            if (statusCode === 401 || statusCode === 403)
              return unavailable(
                `this user may not ${change === undefined ? 'see' : 'change'} it (give it the tag "${tag}")`,
              );
            if (change !== undefined && (statusCode === 201 || statusCode === 204))
              return resolve({ kind: 'found', body: undefined });
            if (statusCode !== 200) return unavailable(`answered with status ${statusCode}`);
            try {
              resolve({ kind: 'found', body: JSON.parse(Buffer.concat(chunks).toString('utf8')) });
            } catch {
              unavailable('answered with something that is not JSON');
            }
          });
        },
      );
      asking.on('error', (error) => unavailable(signal.aborted ? 'no answer' : describeError(error)));
      asking.end(change?.method === 'PUT' ? JSON.stringify(change.body) : undefined);
    });
}
