-- AlterTable
ALTER TABLE "users" ADD COLUMN "credentials_version" UUID NOT NULL DEFAULT gen_random_uuid();

-- AlterTable
ALTER TABLE "console_sessions" ADD COLUMN "credentials_version" UUID;

-- CreateTable
CREATE TABLE "console_attempts" (
    "key" BYTEA NOT NULL,
    "attempts" INTEGER NOT NULL,
    "until" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "console_attempts_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "console_addresses" (
    "username" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "last_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "console_addresses_pkey" PRIMARY KEY ("username","address")
);

-- CreateIndex
CREATE INDEX "console_attempts_until_idx" ON "console_attempts"("until");

-- By hand: whoever writes `users`, and in whatever way, ends the sessions of that user. A user who is deleted and made
-- again is another one.
CREATE FUNCTION "renew_credentials_version"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.credentials_version := gen_random_uuid();
    ELSIF (NEW.username, NEW.password_hash, NEW.role, NEW.active)
        IS DISTINCT FROM (OLD.username, OLD.password_hash, OLD.role, OLD.active) THEN
        NEW.credentials_version := gen_random_uuid();
    ELSE
        NEW.credentials_version := OLD.credentials_version;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER "renew_credentials_version" BEFORE INSERT OR UPDATE ON "users"
    FOR EACH ROW EXECUTE FUNCTION "renew_credentials_version"();

-- Also for what logical replication writes.
ALTER TABLE "users" ENABLE ALWAYS TRIGGER "renew_credentials_version";
