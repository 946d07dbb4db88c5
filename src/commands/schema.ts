import type { Command } from 'commander';
import { asyncApi, messageSchema } from '../domain/schema.ts';
import { addUsage } from './help.ts';
import { printJson } from './print.ts';

/** `schema`: the JSON Schema of the message, or the AsyncAPI document of the interface. */
export function registerSchema(program: Command, version: string): void {
  const command = program
    .command('schema')
    .description('Print the JSON Schema of the message')
    .option('--asyncapi', 'print the AsyncAPI document instead')
    .action((options: { asyncapi?: boolean }) => {
      printJson(options.asyncapi ? asyncApi(version) : messageSchema());
    });
  addUsage(command, {
    examples: ['cdr-ingest schema > cdr.schema.json', 'cdr-ingest schema --asyncapi > asyncapi.json'],
  });
}
