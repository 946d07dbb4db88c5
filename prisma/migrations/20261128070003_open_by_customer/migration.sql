-- By hand, for Prisma's schema has no partial indexes: a page of the open dead letters, customer by customer.
CREATE INDEX CONCURRENTLY "dead_letters_open_customer_idx" ON "dead_letters"((coalesce("scustomer", 2147483647)), "id") WHERE "is_open";
