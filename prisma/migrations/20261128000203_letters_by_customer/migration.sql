-- By hand: built beside those who write.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "dead_letters_scustomer_last_dead_at_id_idx" ON "dead_letters"("scustomer", "last_dead_at", "id");
