-- `cdrs_found_idx` serves the same searches.
DROP INDEX CONCURRENTLY "cdrs_day_idx";
