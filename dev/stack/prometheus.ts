import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackedPackages } from './packages.ts';
import { serverUser } from './places.ts';
import { freePort } from './ports.ts';
import { createServer, type LocalServer, runTool } from './server.ts';
import type { Progress } from './types.ts';

export interface PrometheusOptions {
  /** What to scrape, each with the labels that a PodMonitor would give it. */
  targets: readonly { port: number; labels: Record<string, string> }[];
  scrapeSeconds: number;
  /** Samples of another time, in the text format of OpenMetrics, each good until the next after so many seconds. */
  recorded?: { text: string; everySeconds: number };
  progress?: Progress;
}

/** One series: its labels and its samples as [Unix seconds, value]. */
export interface Series {
  metric: Record<string, string>;
  values: [number, number][];
}

export interface PrometheusServer extends LocalServer {
  /** What a query gives over a span of time; rejects with Prometheus's words for one that it does not take. */
  range: (query: string, fromS: number, toS: number, stepS: number) => Promise<Series[]>;
}

const bin = async (name: string, progress: Progress = () => {}) =>
  join(await unpackedPackages('prometheus', ['prometheus'], progress), 'usr/bin', name);

/** Starts a throwaway Prometheus of the distribution's package, unpacked and not installed. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const command = await bin('prometheus', options.progress);
  const port = await freePort();
  const server = await createServer('prometheus', serverUser(), async (dir) => {
    const config = {
      global: { scrape_interval: `${options.scrapeSeconds}s`, scrape_timeout: `${options.scrapeSeconds}s` },
      scrape_configs: [
        {
          // As the Prometheus Operator names a PodMonitor's: by its namespace and name.
          job_name: 'cdr-ingest/cdr-ingest',
          static_configs: options.targets.map((target) => ({
            targets: [`127.0.0.1:${target.port}`],
            labels: target.labels,
          })),
        },
      ],
    };
    // Every JSON text is YAML as well.
    writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify(config));
    const { recorded } = options;
    if (recorded !== undefined) {
      writeFileSync(join(dir, 'recorded'), recorded.text);
      const args = ['tsdb', 'create-blocks-from', '--quiet', 'openmetrics', 'recorded', 'data'];
      await runTool(await bin('promtool'), args, { dir, env: {}, user: serverUser() });
    }
    return {
      command,
      // Paths as arguments of their own, by which the process is known for ours when it is to be ended.
      args: [
        '--config.file',
        join(dir, 'prometheus.yml'),
        '--storage.tsdb.path',
        join(dir, 'data'),
        `--web.listen-address=127.0.0.1:${port}`,
        // What is not there any more ends at once, as it does where Prometheus itself notices that.
        ...(recorded === undefined ? [] : [`--query.lookback-delta=${recorded.everySeconds}s`]),
      ],
      env: {},
      cleanSignal: 'SIGTERM',
      discardSignal: 'SIGKILL',
      urls: [`tcp://127.0.0.1:${port}`],
    };
  });
  const range: PrometheusServer['range'] = async (query, fromS, toS, stepS) => {
    const parameters = { query, start: String(fromS), end: String(toS), step: String(stepS) };
    const url = `http://127.0.0.1:${port}/api/v1/query_range?${new URLSearchParams(parameters)}`;
    type Answer = {
      error?: string;
      data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
    };
    const answer = (await (await fetch(url)).json()) as Answer;
    if (answer.data === undefined) throw new Error(`${query}: ${answer.error}`);
    return answer.data.result.map(({ metric, values }) => ({
      metric,
      values: values.map(([time, value]): [number, number] => [time, Number(value)]),
    }));
  };
  return Object.assign(server, { range });
}

/** Runs `promtool` and returns what it prints; rejects with that when it finds something wrong. */
export async function promtool(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(await bin('promtool'), [...args]).catch((error: unknown) => {
    const { stdout: told = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`promtool ${args.join(' ')}: ${told}${stderr}`, { cause: error });
  });
  return stdout;
}
