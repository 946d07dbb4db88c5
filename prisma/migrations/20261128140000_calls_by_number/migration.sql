-- By hand, for Prisma's schema has no expressions in indexes: by what calls are found, see src/store/calls/days.ts and
-- filter.ts. It takes the place of `cdrs_day_idx`.
CREATE INDEX CONCURRENTLY "cdrs_found_idx" ON "cdrs"(date_trunc('hour', "start" AT TIME ZONE INTERVAL '0'), "scustomer",
  hashtext("callid"), hashtext(ltrim("snumber", '+0')), hashtext(ltrim("cnumber", '+0')), hashtext(ltrim("dnumber", '+0')));
