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
