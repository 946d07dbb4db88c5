-- By hand, for Prisma's schema has no partial indexes: a page of the open dead letters with the highest costs.
CREATE INDEX CONCURRENTLY "dead_letters_open_cost_idx" ON "dead_letters"((coalesce("cost", '-Infinity'::numeric)), "id") WHERE "is_open";
