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

-- From here on by hand: what Prisma's schema cannot say.

-- AddCheck
ALTER TABLE "dead_letter_events" ADD CONSTRAINT "dead_letter_events_event_check" CHECK ("event" IN
    ('edited', 'replayed', 'died', 'resolved', 'discarded', 'merged'));
