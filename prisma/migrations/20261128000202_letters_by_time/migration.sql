-- By hand: built beside those who write.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "dead_letters_last_dead_at_id_idx" ON "dead_letters"("last_dead_at", "id");
