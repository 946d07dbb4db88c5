-- What stays of calls that `prune` has taken out of cdrs.

-- CreateTable
CREATE TABLE "past_calls" (
    "uniqueid" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,

    CONSTRAINT "past_calls_pkey" PRIMARY KEY ("uniqueid")
);

-- CreateTable
CREATE TABLE "past_sums" (
    "of" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "calls" BIGINT NOT NULL,
    "charged" DECIMAL(30,6) NOT NULL,
    "cost" DECIMAL(30,6) NOT NULL,
    "tax" DECIMAL(30,6) NOT NULL,

    CONSTRAINT "past_sums_pkey" PRIMARY KEY ("of","key")
);

-- From here on by hand: what Prisma's schema cannot say.

-- AddCheck
ALTER TABLE "past_sums" ADD CONSTRAINT "past_sums_of_check" CHECK ("of" IN ('customer', 'invoice', 'uninvoiced'));

-- Every uniqueid that was ever stored, with what it said: a uniqueid stays taken after its call has gone.
CREATE VIEW "known_calls" AS
    SELECT "uniqueid", "fingerprint" FROM "cdrs"
    UNION ALL
    SELECT "uniqueid", "fingerprint" FROM "past_calls";
