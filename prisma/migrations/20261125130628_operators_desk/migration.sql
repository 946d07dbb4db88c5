-- DropIndex
DROP INDEX "dead_letters_status_last_dead_at_idx";

-- AlterTable
ALTER TABLE "dead_letters" ADD COLUMN     "closed_at" TIMESTAMPTZ(6),
ADD COLUMN     "cost" DECIMAL(18,6),
ADD COLUMN     "currency" CHAR(3),
ADD COLUMN     "edits" JSONB NOT NULL DEFAULT '{}';

-- CreateTable
CREATE TABLE "dead_letter_events" (
    "dead_letter" BIGINT NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "event" TEXT NOT NULL,
    "by" TEXT,
    "why" TEXT,
    "attempt" INTEGER,
    "seal" BYTEA,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "dead_letter_events_pkey" PRIMARY KEY ("dead_letter","id")
);

-- CreateIndex
CREATE INDEX "dead_letters_last_dead_at_id_idx" ON "dead_letters"("last_dead_at", "id");

-- CreateIndex
CREATE INDEX "dead_letters_status_last_dead_at_id_idx" ON "dead_letters"("status", "last_dead_at", "id");

-- CreateIndex
CREATE INDEX "dead_letters_scustomer_last_dead_at_id_idx" ON "dead_letters"("scustomer", "last_dead_at", "id");



-- From here on by hand: what Prisma's schema cannot say.

-- AddCheck
ALTER TABLE "dead_letter_events" ADD CONSTRAINT "dead_letter_events_event_check" CHECK ("event" IN
    ('edited', 'replayed', 'died', 'resolved', 'discarded', 'merged'));

-- Letters that are there already: their costs, as far as they can be read.
CREATE FUNCTION pg_temp.parameters_of(body TEXT) RETURNS JSONB LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE jsonb_typeof(body::jsonb) WHEN 'object' THEN body::jsonb END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;
UPDATE "dead_letters" d SET "cost" = found.cost::numeric, "currency" = found.currency
FROM (
    SELECT "id", coalesce(nullif(parameters ->> 'cost', ''), '0') AS cost, parameters ->> 'currency' AS currency
    FROM (SELECT "id", pg_temp.parameters_of("body") AS parameters FROM "dead_letters") AS letter
    WHERE parameters IS NOT NULL
) AS found
WHERE d."id" = found."id" AND found.cost ~ '^-?(0|[1-9]\d{0,11})(\.\d{1,6})?$'
    AND coalesce(found.currency, 'USD') ~ '^[A-Z]{3}$';
UPDATE "dead_letters" SET "closed_at" = "last_dead_at" WHERE "status" IN ('resolved', 'discarded');
