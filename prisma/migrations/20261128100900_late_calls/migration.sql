-- By hand, for Prisma's schema has no partial indexes: the calls of a customer that belong on an invoice and that none took.
-- Calls with an invoice, nearly all, are not in it.
CREATE INDEX CONCURRENTLY "cdrs_late_idx" ON "cdrs"("scustomer", "start") WHERE "update_invoices" = 1 AND "invoice" IS NULL;
