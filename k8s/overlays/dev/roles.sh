#!/bin/bash
# Run once by the image of PostgreSQL, on an empty data directory: a role for each part of the system. What each may do is
# granted after the migrations (cdr-ingest migrate --grant).
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set worker="$WORKER_PASSWORD" --set console="$CONSOLE_PASSWORD" --set upkeep="$UPKEEP_PASSWORD" <<'SQL'
create role cdr_worker login password :'worker';
create role cdr_console login password :'console';
create role cdr_upkeep login password :'upkeep';
SQL
