-- By hand, for Prisma's schema has no expressions in indexes: by what calls are found, see src/store/calls/days.ts. The day
-- comes first, so that a batch touches few pages.
CREATE INDEX CONCURRENTLY "cdrs_day_idx" ON "cdrs"((("start" AT TIME ZONE INTERVAL '0')::date), "scustomer", hashtext("callid"));
