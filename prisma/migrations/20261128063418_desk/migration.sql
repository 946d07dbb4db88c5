-- AlterTable
ALTER TABLE "dead_letters" ADD COLUMN     "answer_key" TEXT,
ADD COLUMN     "closed_for_good" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "mended_body" TEXT,
ADD COLUMN     "reopened_at" TIMESTAMPTZ(6),
ADD COLUMN     "search_keys" TEXT[];

-- CreateTable
CREATE TABLE "dead_letter_keys" (
    "key" TEXT NOT NULL,
    "dead_letter" BIGINT NOT NULL,

    CONSTRAINT "dead_letter_keys_pkey" PRIMARY KEY ("key","dead_letter")
);

-- CreateTable
CREATE TABLE "replays" (
    "id" BIGSERIAL NOT NULL,
    "state" TEXT NOT NULL,
    "program" TEXT NOT NULL,
    "operator" TEXT NOT NULL,
    "why" TEXT,
    "filter" JSONB NOT NULL DEFAULT '{}',
    "correction" JSONB NOT NULL DEFAULT '{}',
    "rate" DECIMAL,
    "abort_over" DECIMAL,
    "selected" INTEGER NOT NULL DEFAULT 0,
    "tried" INTEGER NOT NULL DEFAULT 0,
    "sent" INTEGER NOT NULL DEFAULT 0,
    "resolved" INTEGER NOT NULL DEFAULT 0,
    "refused" INTEGER NOT NULL DEFAULT 0,
    "taken_over" INTEGER NOT NULL DEFAULT 0,
    "skipped" INTEGER NOT NULL DEFAULT 0,
    "problem" TEXT,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(6),
    "alive_at" TIMESTAMPTZ(6),
    "runner" UUID,
    "ended_at" TIMESTAMPTZ(6),
    "stop_by" TEXT,

    CONSTRAINT "replays_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "replay_letters" (
    "replay" BIGINT NOT NULL,
    "dead_letter" BIGINT NOT NULL,
    "position" INTEGER NOT NULL,
    "replays" INTEGER NOT NULL,
    "seen" TEXT NOT NULL,
    "skipped" TEXT,
    "uniqueid" TEXT,
    "becomes" TEXT,
    "code" TEXT,
    "answer" TEXT,
    "charged" DECIMAL(24,6),
    "currency" CHAR(3),
    "customer" INTEGER,
    "invoice" INTEGER,
    "uninvoiced" BOOLEAN NOT NULL DEFAULT false,
    "billed" DECIMAL(24,6),
    "billed_currency" CHAR(3),

    CONSTRAINT "replay_letters_pkey" PRIMARY KEY ("replay","position")
);

-- CreateTable
CREATE TABLE "activity" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "who" TEXT,
    "act" TEXT NOT NULL,
    "program" TEXT NOT NULL,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "activity_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "replays_created_at_idx" ON "replays"("created_at");

-- CreateIndex
CREATE INDEX "replay_letters_dead_letter_idx" ON "replay_letters"("dead_letter");

-- CreateIndex
CREATE INDEX "activity_at_idx" ON "activity"("at");

-- AlterCheck: the lists of the code
ALTER TABLE "dead_letter_events" DROP CONSTRAINT "dead_letter_events_event_check",
    ADD CONSTRAINT "dead_letter_events_event_check" CHECK ("event" IN
    ('edited', 'replayed', 'died', 'resolved', 'discarded', 'reopened', 'merged')) NOT VALID;

ALTER TABLE "replays" ADD CONSTRAINT "replays_state_check" CHECK ("state" IN
    ('trying', 'tried', 'running', 'stopped', 'done', 'failed')) NOT VALID;

ALTER TABLE "replays" ADD CONSTRAINT "replays_program_check" CHECK ("program" IN
    ('command', 'console')) NOT VALID;

ALTER TABLE "activity" ADD CONSTRAINT "activity_act_check" CHECK ("act" IN
    ('signed in', 'sign-in refused', 'corrected', 'discarded', 'reopened', 'dry run', 'replay started', 'replay stopped', 'replay resumed', 'replay ended', 'exported', 'user added', 'user changed', 'user disabled')) NOT VALID;

ALTER TABLE "activity" ADD CONSTRAINT "activity_program_check" CHECK ("program" IN
    ('command', 'console')) NOT VALID;
