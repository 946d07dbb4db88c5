// Every npm script runs through this, so that each works on a fresh checkout: it installs packages, generates the
// database client, builds, and then runs the task. It has no dependencies, because it runs before any is installed.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fail, prepareCheckout, ROOT, say, tool } from './prepare.mjs';

const OLDEST_NODE = [20, 19];
const { DATABASE_URL, AMQP_URL } = process.env;

// Not the tsx command, which would run the script in a child process and treat signals in its own way.
const tsx = (script, ...args) => ['--import', 'tsx', script, ...args];

/** Per task: whether it needs the build, and the Node processes to run. */
const TASKS = {
  start: {
    build: true,
    // If both services are given, it runs only the worker.
    steps: (args) => [
      DATABASE_URL && AMQP_URL
        ? ['dist/cli.js', 'worker', ...args.filter((arg) => arg !== '--once')]
        : tsx('dev/start.ts', ...args),
    ],
  },
  test: { build: true, steps: (args) => [tool('vitest', 'run', ...args)] },
  'test:soak': {
    build: true,
    steps: (args) => [tool('vitest', 'run', '--config', 'vitest.soak.config.ts', ...args)],
  },
  bench: { build: true, steps: (args) => [tsx('bench/run.ts', ...args)] },
  check: { build: false, steps: () => [tool('biome', 'ci', '.'), tool('tsc', '--noEmit')] },
  build: { build: true, steps: () => [] },
};

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  fail(
    `This needs Node.js ${OLDEST_NODE.join('.')} or later; here is ${process.versions.node} (${process.execPath}).`,
  );
}

/** Runs one process of the task to its end and returns its exit code. */
function runStep(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    const forward = (signal) => {
      // The terminal sends Ctrl-C to the whole foreground group, so the child has it already. A second SIGINT would
      // end a worker that is draining.
      const fromTerminal = signal === 'SIGINT' && (process.stdin.isTTY || process.stdout.isTTY);
      if (!fromTerminal) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    child.on('error', (error) => fail(`${args[0]} could not be run: ${error.message}`));
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      resolve(signal ? 128 + constants.signals[signal] : code);
    });
  });
}

checkNode();
const [name = '', ...args] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
if (!task) {
  say(`usage: node dev/bootstrap.mjs ${Object.keys(TASKS).join('|')} [arguments]`);
  process.exit(2);
}
await prepareCheckout(task);
for (const step of task.steps(args)) {
  const code = await runStep(step);
  if (code !== 0) process.exit(code);
}
