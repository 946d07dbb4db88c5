import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { BASE, docker, type ImageSite, openImageSite, STARTING_MS } from '../support/image.ts';

const LARGEST_BEYOND_BASE = 60e6;

let site: ImageSite;

beforeAll(async () => {
  site = await openImageSite();
}, 1_800_000);
afterAll(async () => {
  await site?.close();
});

describe('the image', () => {
  it('contains only what the program loads, at most 60 MB beyond its base image', async () => {
    const size = async (image: string) =>
      Number(await docker('image', 'inspect', image, '--format', '{{.Size}}'));
    const beyond = (await size(site.name)) - (await size(BASE));
    const list = ['run', '--rm', '--entrypoint', 'find', site.name, '/app', '-type', 'f'];
    const files = (await docker(...list)).split('\n');
    for (const absent of [
      /\/typescript\//,
      /\/vitest\//,
      /\/node_modules\/prisma\//,
      /\/tsx\//,
      /query_engine|schema-engine/,
    ])
      expect(files.filter((file) => absent.test(file))).toEqual([]);
    expect(files.filter((file) => file.endsWith('.node')).every((file) => file.includes('argon2'))).toBe(
      true,
    );
    console.log(JSON.stringify({ megabytesBeyondBase: Math.round(beyond / 1e5) / 10, files: files.length }));
    expect(beyond).toBeLessThan(LARGEST_BEYOND_BASE);
  });

  it('migrates, serves and stops as an unprivileged user on a read-only file system under an init process', async () => {
    await until(async () => (await site.once(['migrate'])).code === 0, STARTING_MS);
    await until(async () => (await site.once(['topology'])).code === 0, STARTING_MS);
    expect(await site.once(['user', 'add', 'switch', '--role', 'system'], 'correct horse\n')).toMatchObject({
      code: 0,
    });

    const begun = performance.now();
    const worker = await site.start('worker', ...site.confined(site.services), site.name);
    await site.logged(worker, '"state":"consuming"');
    const startUpMs = Math.round(performance.now() - begun);

    expect(await docker('exec', worker, 'id', '-u')).toBe('1000');
    expect(await docker('exec', worker, 'cat', '/proc/1/comm')).toBe('tini');
    await expect(docker('exec', worker, 'touch', '/app/written')).rejects.toThrow('Read-only file system');
    const call = { uniqueid: 'image.1', machine: 'm', start: 1, scustomer: 1 };
    const sender = { CDR_USERNAME: 'switch', CDR_PASSWORD: 'correct horse' };
    const published = await site.once(['publish', '-'], JSON.stringify(call), sender);
    // The customer is unknown: what matters is that the answer came all the way from the database.
    expect(published).toMatchObject({ code: 1, output: expect.stringContaining('400 scustomer') });
    expect(await site.once(['doctor'])).toMatchObject({ code: 0 });
    const health = ['inspect', worker, '--format', '{{.State.Health.Status}}'];
    await until(async () => (await docker(...health)) === 'healthy', STARTING_MS);
    await docker('stop', '--time', '60', worker);
    expect(await docker('inspect', worker, '--format', '{{.State.ExitCode}}')).toBe('0');
    console.log(JSON.stringify({ startUpMs }));
  });

  it('serves the console, which shows the dead letters of the worker', async () => {
    const listed = await site.once(['dead', 'list', '--json']);
    expect(listed).toMatchObject({ code: 0, output: expect.stringContaining('"uniqueid":"image.1"') });
    const added = await site.once(['user', 'add', 'boss', '--role', 'operator'], 'battery staple\n');
    expect(added).toMatchObject({ code: 0 });

    const published = ['--publish', '127.0.0.1::8081', '--no-healthcheck'];
    const consoleContainer = await site.start(
      'console',
      ...published,
      ...site.confined({ ...site.services, CONSOLE_HOST: '0.0.0.0' }),
      site.name,
      'console',
    );
    const origin = `http://${await docker('port', consoleContainer, '8081/tcp')}`;
    const page = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${origin}${path}`, { redirect: 'manual', ...init });
      return {
        status: response.status,
        cookie: response.headers.get('set-cookie'),
        text: await response.text(),
      };
    };
    await site.logged(consoleContainer, 'serving the console');
    expect(await page('/sign-in')).toMatchObject({
      status: 200,
      text: expect.stringContaining('name="password"'),
    });
    const form = new URLSearchParams({ username: 'boss', password: 'battery staple' });
    const { status, cookie } = await page('/sign-in', { method: 'POST', body: form });
    expect(status).toBe(303);
    const session = { headers: { cookie: cookie?.split(';')[0] ?? '' } };
    expect((await page('/dead-letters/list', session)).text).toContain('image.1');
    await docker('stop', '--time', '60', consoleContainer);
    expect(await docker('inspect', consoleContainer, '--format', '{{.State.ExitCode}}')).toBe('0');
  });
});
