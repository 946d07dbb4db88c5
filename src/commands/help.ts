import type { Command } from 'commander';
import { type VariableName, variables } from '../config.ts';

export interface Usage {
  /** Command lines as a user types them. */
  examples: readonly string[];
  /** The variables that the command reads. */
  environment?: readonly VariableName[];
}

/** Adds examples and the variables that the command reads to its help. */
export function addUsage(command: Command, { examples, environment = [] }: Usage): Command {
  return command.addHelpText('after', () => {
    const parts = [['Examples:', ...examples.map((example) => `  $ ${example}`)]];
    if (environment.length > 0) parts.push(environmentHelp(command, environment));
    return parts.map((lines) => `\n${lines.join('\n')}`).join('\n');
  });
}

function environmentHelp(command: Command, names: readonly VariableName[]): string[] {
  const help = command.createHelp();
  const helpWidth = command.configureOutput().getOutHelpWidth?.();
  help.prepareContext(helpWidth === undefined ? {} : { helpWidth });
  const width = Math.max(...names.map((name) => name.length));
  return [
    'Environment:',
    ...names.map((name) =>
      help.formatItem(name, width, `${variables[name].description}${defaultOf(name)}`, help),
    ),
    '',
    '  NAME_FILE names a file that holds the value of NAME.',
  ];
}

function defaultOf(name: VariableName): string {
  const { fallback } = variables[name];
  if (fallback === null) return ' (required)';
  return fallback === '' ? '' : ` (default: ${fallback})`;
}
