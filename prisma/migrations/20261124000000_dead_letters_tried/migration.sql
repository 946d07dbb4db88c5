-- When a message that the broker gave up on was tried once more, alone.
ALTER TABLE "dead_letters" ADD COLUMN "tried_at" TIMESTAMPTZ(6);
