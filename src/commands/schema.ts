import type { Command } from 'commander';
import { asyncApi, messageSchema } from '../domain/schema.ts';
import { printJson } from './print.ts';

/** `schema`: the JSON Schema of the message, or the AsyncAPI document of the interface. */
export function registerSchema(program: Command, version: string): void {
  program
    .command('schema')
    .description('prints the JSON Schema of the message')
    .option('--asyncapi', 'prints the AsyncAPI document instead')
    .action((options: { asyncapi?: boolean }) => {
      const document = options.asyncapi ? asyncApi(version) : messageSchema();
      printJson(document);
    });
}
