-- Who was verified, what was altered, and the key that the digests of letters are made with.

-- AlterTable
ALTER TABLE "dead_letters" ADD COLUMN     "altered" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "verified" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "letter_keys" (
    "id" INTEGER NOT NULL,
    "key" BYTEA NOT NULL,

    CONSTRAINT "letter_keys_pkey" PRIMARY KEY ("id")
);

-- From here on by hand: what Prisma's schema cannot say.

-- Digests of letters are of the bytes as they came. Of a body that cannot be read these have the password in them, which
-- nobody shall be able to guess from a digest: so each database has a key of its own. The version before goes on writing
-- digests of what it kept; what died before and dies again gets a row of its own.
INSERT INTO "letter_keys" ("id", "key")
VALUES (1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- Whoever may write letters makes digests, and nobody but the owner of the tables reads the key. What it names is looked up
-- here and now, so that no table of a session's own can stand in its place.
CREATE FUNCTION "letter_digest"(content BYTEA) RETURNS BYTEA LANGUAGE sql STABLE SECURITY DEFINER
    RETURN sha256(coalesce((SELECT "key" FROM "letter_keys" WHERE "id" = 1), '') || content);

-- Letters that are there already. Verified are those that the worker refused after it had looked at the credentials, by the
-- reason that they had before any replay: conflict and forbidden always, rejected where somebody claims to have sent them.
-- Without credentials a call was refused as rejected too: then auth_username or auth_password is named, or no parameter at
-- all, because its body could not be read. failed had mostly been authenticated, but a message that had not could become
-- failed as well (its letter was refused by the database), so that it counts as not verified, as poison, unroutable and
-- unauthenticated do.
UPDATE "dead_letters" d SET "verified" = true
FROM (
    SELECT l."id", coalesce(e.detail ->> 'reason', l."reason") AS reason, coalesce(e.detail -> 'responses', l."responses") AS responses
    FROM "dead_letters" l LEFT JOIN (
        SELECT DISTINCT ON ("dead_letter") "dead_letter", "detail" FROM "dead_letter_events"
        WHERE "event" = 'replayed' ORDER BY "dead_letter", "id") AS e ON e."dead_letter" = l."id"
) AS first
WHERE first."id" = d."id" AND d."submitted_by" IS NOT NULL AND (first.reason IN ('conflict', 'forbidden')
    OR first.reason = 'rejected' AND first.responses @> '[{"code": "400"}]' AND NOT first.responses @> '[{"key": ""}]'
    AND NOT first.responses @> '[{"key": "auth_username"}]' AND NOT first.responses @> '[{"key": "auth_password"}]');

-- A body that is no JSON object is text with masks in it, or was never read: it is not sent again as it stands.
CREATE FUNCTION pg_temp.is_call(body TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    RETURN json_typeof(body::json) = 'object';
EXCEPTION WHEN data_exception THEN
    RETURN false;
END
$$;
UPDATE "dead_letters" SET "altered" = ARRAY['']
WHERE NOT pg_temp.is_call("body") OR ("responses" @> '[{"key": ""}]' AND "body" LIKE '%' || chr(65533) || '%');
