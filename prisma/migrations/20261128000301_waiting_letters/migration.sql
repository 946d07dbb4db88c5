-- By hand, for Prisma's schema has no partial indexes: the few letters that wait, found without reading the others.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "dead_letters_waiting_idx" ON "dead_letters" ((coalesce("waits_for", '')))
    WHERE "waits_for" IS NOT NULL AND "tried_at" IS NULL AND "status" = 'dead';
