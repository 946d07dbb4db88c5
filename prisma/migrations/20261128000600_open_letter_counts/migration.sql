-- By hand, for Prisma's schema has no partial indexes: open letters by reason are counted, and the oldest of each is found,
-- from the index alone. A replay that begins changes `status` and not `is_open`, so it still touches no index.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "dead_letters_open_reason_first_dead_at_idx" ON "dead_letters"("reason", "first_dead_at") WHERE "is_open";
