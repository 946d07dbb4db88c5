-- By hand: a replay that begins changes `status` and no index, so that PostgreSQL can write the row's new version beside
-- the old one (HOT). Half of each page is left for that.
DROP INDEX IF EXISTS "dead_letters_status_last_dead_at_id_idx";
ALTER TABLE "dead_letters" SET (fillfactor = 50);

-- Follows `status`. A generated column would, but adding one writes the whole table anew while everybody waits.
ALTER TABLE "dead_letters" ADD COLUMN "is_open" BOOLEAN DEFAULT true;

CREATE FUNCTION "keep_is_open"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.is_open := NEW.status IN ('dead', 'replaying');
    RETURN NEW;
END
$$;

CREATE TRIGGER "keep_is_open" BEFORE INSERT OR UPDATE ON "dead_letters" FOR EACH ROW
    WHEN (NEW."is_open" IS DISTINCT FROM (NEW."status" IN ('dead', 'replaying'))) EXECUTE FUNCTION "keep_is_open"();

-- Also for what logical replication writes.
ALTER TABLE "dead_letters" ENABLE ALWAYS TRIGGER "keep_is_open";
