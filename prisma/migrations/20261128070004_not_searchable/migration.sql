-- By hand, for Prisma's schema has no partial indexes: rows of versions before, which have no search keys yet. `migrate` fills
-- them, and finds from this index alone that there are none.
CREATE INDEX CONCURRENTLY "dead_letters_not_searchable_idx" ON "dead_letters"("id") WHERE "search_keys" IS NULL;
