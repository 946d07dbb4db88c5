-- AlterTable
ALTER TABLE "cdrs" ADD COLUMN     "invoice_late" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "dead_letters" ADD COLUMN     "operation" TEXT NOT NULL DEFAULT 'create';

-- CreateTable
CREATE TABLE "corrections" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "uniqueid" TEXT NOT NULL,
    "follows" TEXT NOT NULL,
    "late_entry" TEXT,
    "customer" INTEGER NOT NULL,
    "charged" DECIMAL(24,6) NOT NULL,
    "calls" SMALLINT NOT NULL,
    "invoice" INTEGER,
    "invoice_cost" DECIMAL(24,6) NOT NULL,
    "invoice_tax" DECIMAL(24,6) NOT NULL,
    "invoice_calls" SMALLINT NOT NULL,
    "late" BOOLEAN NOT NULL,
    "cost" DECIMAL(18,6) NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "tax" DECIMAL(24,6) NOT NULL,
    "taxes" TEXT NOT NULL,
    "messages" INTEGER NOT NULL,
    "time" INTEGER NOT NULL,
    "update_balance" SMALLINT NOT NULL,
    "update_invoices" SMALLINT NOT NULL,
    "system_rate" DECIMAL NOT NULL,
    "currency_rate" DECIMAL NOT NULL,
    "customer_currency" CHAR(3) NOT NULL,
    "customer_rate" DECIMAL NOT NULL,
    "invoice_currency" CHAR(3),
    "invoice_rate" DECIMAL,
    "tax_terms" JSONB,
    "fingerprint" BYTEA,
    "booked_by" TEXT NOT NULL,
    "why" TEXT,
    "booked_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "corrections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "correction_orders" (
    "id" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "uniqueid" TEXT NOT NULL,
    "follows" TEXT NOT NULL,
    "operator" TEXT NOT NULL,
    "why" TEXT NOT NULL,
    "program" TEXT NOT NULL,
    "dead_letter" BIGINT,
    "seal" BYTEA NOT NULL,
    "responses" JSONB,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "answered_at" TIMESTAMPTZ(6),

    CONSTRAINT "correction_orders_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "corrections_uniqueid_follows_key" ON "corrections"("uniqueid", "follows");

-- CreateIndex
CREATE UNIQUE INDEX "corrections_uniqueid_late_entry_key" ON "corrections"("uniqueid", "late_entry");

-- CreateIndex
CREATE INDEX "correction_orders_uniqueid_idx" ON "correction_orders"("uniqueid");

-- AlterCheck: the lists of the code
ALTER TABLE "dead_letters" ADD CONSTRAINT "dead_letters_operation_check" CHECK ("operation" IN
    ('create', 'update', 'void')) NOT VALID;

ALTER TABLE "corrections" ADD CONSTRAINT "corrections_kind_check" CHECK ("kind" IN
    ('reversing', 'new', 'attaching')) NOT VALID;

ALTER TABLE "correction_orders" ADD CONSTRAINT "correction_orders_operation_check" CHECK ("operation" IN
    ('create', 'update', 'void')) NOT VALID;

ALTER TABLE "correction_orders" ADD CONSTRAINT "correction_orders_program_check" CHECK ("program" IN
    ('command', 'console')) NOT VALID;

ALTER TABLE "activity" DROP CONSTRAINT "activity_act_check",
    ADD CONSTRAINT "activity_act_check" CHECK ("act" IN
    ('signed in', 'sign-in refused', 'corrected', 'discarded', 'reopened', 'dry run', 'replay started', 'replay stopped', 'replay resumed', 'replay ended', 'exported', 'call voided', 'call corrected', 'late calls attached', 'user added', 'user changed', 'user disabled')) NOT VALID;

ALTER TABLE "users" DROP CONSTRAINT "users_role_check",
    ADD CONSTRAINT "users_role_check" CHECK ("role" IN
    ('system', 'commerce', 'operator', 'viewer')) NOT VALID;

-- By hand, for Prisma's schema has no partial indexes: the entries of a customer that belong on an invoice and that none took.
CREATE INDEX "corrections_late_idx" ON "corrections"("customer") WHERE "late";
