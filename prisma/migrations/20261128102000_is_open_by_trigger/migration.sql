-- By hand. In databases that had it as a generated column `is_open` becomes what it is in all others, without being written anew.
DROP INDEX IF EXISTS "dead_letters_status_last_dead_at_idx";
ALTER TABLE "dead_letters" ALTER COLUMN "is_open" DROP EXPRESSION IF EXISTS;
ALTER TABLE "dead_letters" ALTER COLUMN "is_open" SET DEFAULT true;

CREATE OR REPLACE FUNCTION "keep_is_open"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.is_open := NEW.status IN ('dead', 'replaying');
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER "keep_is_open" BEFORE INSERT OR UPDATE ON "dead_letters" FOR EACH ROW
    WHEN (NEW."is_open" IS DISTINCT FROM (NEW."status" IN ('dead', 'replaying'))) EXECUTE FUNCTION "keep_is_open"();

ALTER TABLE "dead_letters" ENABLE ALWAYS TRIGGER "keep_is_open";
