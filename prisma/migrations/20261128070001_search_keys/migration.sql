-- Dead letters are found by uniqueid, callid and number.
CREATE INDEX CONCURRENTLY "dead_letters_search_keys_idx" ON "dead_letters" USING GIN ("search_keys");
