-- DropIndex
DROP INDEX "dead_letters_status_last_dead_at_id_idx";

-- By hand: a replay that begins changes `status` and no index, so that PostgreSQL can write the row's new version beside
-- the old one (HOT). Half of each page is left for that.
ALTER TABLE "dead_letters" SET (fillfactor = 50);
ALTER TABLE "dead_letters" ADD COLUMN "is_open" BOOLEAN GENERATED ALWAYS AS ("status" IN ('dead', 'replaying')) STORED;

-- CreateIndex
CREATE INDEX "dead_letters_is_open_last_dead_at_id_idx" ON "dead_letters"("is_open", "last_dead_at", "id");
