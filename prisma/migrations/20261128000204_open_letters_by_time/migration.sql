-- By hand: built beside those who write.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "dead_letters_is_open_last_dead_at_id_idx" ON "dead_letters"("is_open", "last_dead_at", "id");
