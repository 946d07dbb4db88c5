import * as z from 'zod';
import { feeds, operators, sourcesSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of a sources file, for editors. */
export function sourcesJsonSchema() {
  return {
    title: 'cdr-ingest sources',
    description: 'The feeds of switches that do not speak cdrs/create, by name.',
    ...z.toJSONSchema(sourcesSchema, { io: 'input', target: 'draft-2020-12' }),
  };
}

export interface KeyRow {
  key: string;
  formats: string;
  required: boolean;
  description: string;
}

/** The keys of a feed, for the documentation. */
export function feedKeys(): KeyRow[] {
  const formats = Object.entries(feeds) as [string, z.ZodObject][];
  const names = new Set(formats.flatMap(([, schema]) => Object.keys(schema.shape)));
  return [...names].map((key) => {
    const having = formats.filter(([, { shape }]) => key in shape);
    const schema = having[0]?.[1].shape[key];
    return {
      key,
      formats: having.length === formats.length ? 'all' : having.map(([format]) => format).join(', '),
      required: schema?.safeParse(undefined).success === false,
      description: key === 'format' ? 'json, form, csv or positional.' : (schema?.description ?? ''),
    };
  });
}

/** The keys of a value, for the documentation. */
export function operatorKeys(): { key: string; description: string }[] {
  return Object.entries(operators.shape).map(([key, schema]) => ({
    key,
    description: (schema as z.ZodType).description ?? '',
  }));
}
