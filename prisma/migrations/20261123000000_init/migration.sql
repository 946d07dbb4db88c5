-- CreateTable
CREATE TABLE "users" (
    "username" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("username")
);

-- CreateTable
CREATE TABLE "currencies" (
    "code" CHAR(3) NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "rate" DECIMAL NOT NULL,

    CONSTRAINT "currencies_pkey" PRIMARY KEY ("code")
);

-- CreateTable
CREATE TABLE "customers" (
    "id" INTEGER NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "currency" CHAR(3) NOT NULL,
    "balance" DECIMAL(30,6) NOT NULL DEFAULT 0,
    "charged" DECIMAL(30,6) NOT NULL DEFAULT 0,
    "calls" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "customers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "taxes" (
    "id" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "rate" DECIMAL NOT NULL DEFAULT 0,
    "flat" DECIMAL NOT NULL DEFAULT 0,

    CONSTRAINT "taxes_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "peers" (
    "id" INTEGER NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "peers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invoices" (
    "id" INTEGER NOT NULL,
    "customer" INTEGER NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "period_start" TIMESTAMPTZ(6) NOT NULL,
    "period_end" TIMESTAMPTZ(6) NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'open',
    "calls" BIGINT NOT NULL DEFAULT 0,
    "cost" DECIMAL(30,6) NOT NULL DEFAULT 0,
    "tax" DECIMAL(30,6) NOT NULL DEFAULT 0,
    "total" DECIMAL(30,6) NOT NULL DEFAULT 0,

    CONSTRAINT "invoices_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cdrs" (
    "uniqueid" TEXT NOT NULL,
    "machine" TEXT NOT NULL,
    "start" TIMESTAMPTZ(0) NOT NULL,
    "end" TIMESTAMPTZ(0) NOT NULL,
    "scustomer" INTEGER NOT NULL,
    "stype" TEXT NOT NULL,
    "snumber" TEXT NOT NULL,
    "spresent" SMALLINT NOT NULL,
    "sname" TEXT NOT NULL,
    "ctype" TEXT NOT NULL,
    "cnumber" TEXT NOT NULL,
    "dcustomer" INTEGER NOT NULL,
    "dtype" TEXT NOT NULL,
    "dnumber" TEXT NOT NULL,
    "callid" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "cost" DECIMAL(18,6) NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "ingroup_time" INTEGER NOT NULL,
    "invoice" INTEGER,
    "invoice_named" BOOLEAN NOT NULL,
    "media" TEXT NOT NULL,
    "messages" INTEGER NOT NULL,
    "note" TEXT NOT NULL,
    "outgroup_time" INTEGER NOT NULL,
    "peer" INTEGER,
    "recording" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "talktime" INTEGER NOT NULL,
    "taxes" TEXT NOT NULL,
    "time" INTEGER NOT NULL,
    "totaltime" INTEGER NOT NULL,
    "update_balance" SMALLINT NOT NULL,
    "update_invoices" SMALLINT NOT NULL,
    "tax" DECIMAL(24,6) NOT NULL,
    "charged" DECIMAL(24,6) NOT NULL,
    "invoice_cost" DECIMAL(24,6) NOT NULL,
    "invoice_tax" DECIMAL(24,6) NOT NULL,
    "system_rate" DECIMAL NOT NULL,
    "currency_rate" DECIMAL NOT NULL,
    "customer_currency" CHAR(3) NOT NULL,
    "customer_rate" DECIMAL NOT NULL,
    "invoice_currency" CHAR(3),
    "invoice_rate" DECIMAL,
    "tax_terms" JSONB,
    "fingerprint" BYTEA NOT NULL,
    "submitted_by" TEXT NOT NULL,
    "replayed_by" TEXT,
    "received_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "cdrs_pkey" PRIMARY KEY ("uniqueid")
);

-- CreateTable
CREATE TABLE "dead_letters" (
    "id" BIGSERIAL NOT NULL,
    "reason" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'dead',
    "uniqueid" TEXT,
    "scustomer" INTEGER,
    "machine" TEXT,
    "submitted_by" TEXT,
    "responses" JSONB NOT NULL DEFAULT '[]',
    "body" TEXT NOT NULL,
    "digest" BYTEA NOT NULL,
    "properties" JSONB NOT NULL DEFAULT '{}',
    "differences" JSONB,
    "error" TEXT,
    "deaths" INTEGER NOT NULL DEFAULT 1,
    "replays" INTEGER NOT NULL DEFAULT 0,
    "first_dead_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_dead_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "dead_letters_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "taxes_name_key" ON "taxes"("name");

-- CreateIndex
CREATE INDEX "invoices_customer_status_period_start_idx" ON "invoices"("customer", "status", "period_start");

-- CreateIndex
CREATE INDEX "cdrs_received_at_idx" ON "cdrs" USING BRIN ("received_at");

-- CreateIndex
CREATE INDEX "dead_letters_status_last_dead_at_idx" ON "dead_letters"("status", "last_dead_at");

-- CreateIndex
CREATE INDEX "dead_letters_uniqueid_idx" ON "dead_letters"("uniqueid");

-- CreateIndex
CREATE UNIQUE INDEX "dead_letters_reason_digest_key" ON "dead_letters"("reason", "digest");


-- From here on by hand: what Prisma's schema cannot say.

-- AddCheck
ALTER TABLE "users" ADD CONSTRAINT "users_role_check" CHECK ("role" IN ('system', 'operator', 'viewer'));

-- AddCheck: amounts are divided by rates
ALTER TABLE "currencies" ADD CONSTRAINT "currencies_rate_check" CHECK ("rate" > 0);

-- AddCheck
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_status_check" CHECK ("status" IN ('open', 'closed'));

-- AddCheck
ALTER TABLE "dead_letters" ADD CONSTRAINT "dead_letters_reason_check" CHECK ("reason" IN
    ('rejected', 'unauthenticated', 'forbidden', 'conflict', 'failed', 'poison', 'unroutable'));

-- AddCheck
ALTER TABLE "dead_letters" ADD CONSTRAINT "dead_letters_status_check" CHECK ("status" IN
    ('dead', 'replaying', 'resolved', 'discarded'));

-- Every batch updates these rows: with free space left in the page, an update touches no index (HOT).
ALTER TABLE "customers" SET (fillfactor = 70);
ALTER TABLE "invoices" SET (fillfactor = 70);

-- Ends the statement that settles a batch when what the calls were charged on has changed meanwhile. Volatile
-- (the default), so that no planner leaves a call of it out.
CREATE FUNCTION "settle_assert"(ok BOOLEAN, message TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    IF ok IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'CDR01', MESSAGE = message;
    END IF;
    RETURN true;
END
$$;
