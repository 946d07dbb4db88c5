import { defineConfig } from 'prisma/config';

/** Read by the Prisma CLI, which this project uses for `generate` alone: migrations run through `cdr-ingest migrate`. */
export default defineConfig({ schema: 'prisma/schema.prisma' });
