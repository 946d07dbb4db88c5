import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/commands/program.ts';
import { variables } from '../../src/config.ts';

const all = commandsIn(await createProgram('1.0.0'));
const leaves = all.filter(({ command }) => command.commands.length === 0);

function commandsIn(command: Command, path = ''): { path: string; command: Command }[] {
  const name = `${path} ${command.name()}`.trim();
  return [{ path: name, command }, ...command.commands.flatMap((child) => commandsIn(child, name))];
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 });
  command.outputHelp();
  return text;
}

const examplesOf = (help: string) => [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line = '']) => line);

/** The arguments of each `cdr-ingest` in a line of a shell, without pipes and redirections. */
function argumentsIn(line: string): string[][] {
  return line
    .split(/ && | \| /)
    .map((part) => part.replace(/ [<>] .*$/, ''))
    .flatMap((part) => part.split('cdr-ingest ').slice(1))
    .map((part) => [...part.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''));
}

describe('--help', () => {
  it.each(all)('of `$path` begins with the imperative and shows examples that parse', async ({ command }) => {
    expect(command.description()).toMatch(/^[A-Z][a-z]+[^s] .*[^.]$|^Store .*\.$/);
    const lines = examplesOf(helpOf(command));
    expect(lines.length).toBeGreaterThan(0);
    for (const args of lines.flatMap(argumentsIn)) {
      const program = await createProgram('1.0.0');
      for (const { command: each } of commandsIn(program))
        each.configureOutput({ writeOut: () => undefined });
      for (const { command: each } of commandsIn(program))
        if (each.commands.length === 0) each.action(() => undefined);
      const parsed = await program.parseAsync(args, { from: 'user' }).then(
        () => 0,
        (error: { exitCode: number }) => error.exitCode,
      );
      expect({ args, code: parsed }).toEqual({ args, code: 0 });
    }
  });

  it('of a command is the same when that command alone is loaded', async () => {
    for (const { command } of all.filter(({ path }) => path.split(' ').length === 2)) {
      const [alone, ...others] = (await createProgram('1.0.0', command.name())).commands;
      expect(alone && helpOf(alone)).toBe(helpOf(command));
      expect(others).toEqual([]);
    }
  });

  it.each(leaves)('of `$path` describes variables as docs/configuration.md does', ({ path, command }) => {
    const help = helpOf(command).replace(/\s+/g, ' ');
    const named = Object.entries(variables).filter(([name]) => new RegExp(` ${name} `).test(help));
    if (path === 'cdr-ingest schema') expect(named).toEqual([]);
    else if (/^cdr-ingest source (list|test)$/.test(path))
      expect(named.map(([name]) => name)).toEqual(['SOURCES_FILE']);
    else expect(named.length).toBeGreaterThan(3);
    for (const [name, { description, fallback }] of named) {
      const note = fallback === null ? ' (required)' : fallback === '' ? '' : ` (default: ${fallback})`;
      expect(help).toContain(`${name} ${description}${note}`);
    }
  });
});
