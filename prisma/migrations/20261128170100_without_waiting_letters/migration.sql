-- `dead_letters_waits_for_idx` serves the same search.
DROP INDEX CONCURRENTLY "dead_letters_waiting_idx";
