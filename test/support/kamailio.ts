import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libraries } from '../../dev/stack/binaries.ts';
import { unpackedPackages } from '../../dev/stack/packages.ts';
import { until } from './broker.ts';
import { freeUdpPort } from './sip.ts';

const PAGE = new URL('../../docs/connect/kamailio.md', import.meta.url);
const READY = 'ready for calls';
const LIBRARIES = 'usr/lib/x86_64-linux-gnu/kamailio';

/** Kamailio as the distribution has it, unpacked into the cache and not installed. Rejects where apt cannot fetch it. */
export function kamailioTree(): Promise<string> {
  const packages = ['kamailio', 'kamailio-extra-modules', 'kamailio-rabbitmq-modules'];
  return unpackedPackages('kamailio', packages, () => {});
}

/** The blocks of the page that are to be pasted: modules, what an INVITE does, routes. */
function pasted(): [modules: string, invite: string, routes: string] {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^```kamailio\n(.*?)^```$/gms)];
  const [modules = '', invite = '', routes = ''] = blocks.map(([, text = '']) => text);
  return [modules, invite, routes];
}

/** A proxy that sends every call to one place, with what the page adds to it. */
function script(tree: string, port: number, calledPort: number, amqpUrl: string): string {
  const [modules, invite, routes] = pasted();
  return `#!KAMAILIO
children=1
log_stderror=yes
auto_aliases=no
listen=udp:127.0.0.1:${port}
mpath="${join(tree, LIBRARIES, 'modules')}/"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
${modules.replace('amqp://sbc-1:PASSWORD@mq.example.com:5672/cdrs', amqpUrl)}
modparam("dialog", "default_timeout", 3)
request_route {
  if (has_totag()) {
    if (loose_route() || t_check_trans()) t_relay();
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (!is_method("INVITE")) exit;
  record_route();
  $var(account) = "harbour";
  $var(trunk) = "carrier-a";
  ${invite}
  $du = "sip:127.0.0.1:${calledPort}";
  t_relay();
}
event_route[core:worker-one-init] {
  xlog("L_WARN", "${READY}\\n");
}
${routes}`;
}

export interface Kamailio {
  port: number;
  /** What it has logged. */
  output: () => string;
  /** Sends SIGTERM and waits for its end. */
  stop(): Promise<void>;
}

/** Starts it with the configuration of docs/connect/kamailio.md; calls go to this port of 127.0.0.1. */
export async function startKamailio(tree: string, calledPort: number, amqpUrl: string): Promise<Kamailio> {
  const directory = mkdtempSync(join(tmpdir(), 'kamailio-'));
  const file = join(directory, 'kamailio.cfg');
  const port = await freeUdpPort();
  writeFileSync(file, script(tree, port, calledPort, amqpUrl));
  const { LD_LIBRARY_PATH = '' } = libraries(tree);
  const child = spawn(join(tree, 'usr/sbin/kamailio'), ['-f', file, '-DD', '-E', '-Y', directory], {
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: `${LD_LIBRARY_PATH}:${join(tree, LIBRARIES)}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close').then(() => {
    throw new Error(`Kamailio ended:\n${output}`);
  });
  await Promise.race([until(() => output.includes(READY)), ended]).catch((error) => {
    child.kill('SIGTERM');
    throw error;
  });
  return {
    port,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      await ended.catch(() => {});
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
