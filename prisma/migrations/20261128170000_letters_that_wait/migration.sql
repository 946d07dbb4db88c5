-- By hand, for Prisma's schema has no partial indexes. It takes the place of `dead_letters_waiting_idx`, which names `status`: a
-- replay that begins changes that, and had to write every index of the table.
CREATE INDEX CONCURRENTLY "dead_letters_waits_for_idx" ON "dead_letters"((coalesce("waits_for", '')))
    WHERE "waits_for" IS NOT NULL AND "tried_at" IS NULL;
