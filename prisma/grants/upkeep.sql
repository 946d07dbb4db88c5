-- The least that `reconcile`, `prune`, `dead prune` and `source audit` need: they read the books, and take out what is old.
-- Applied by `cdr-ingest migrate --grant PART=ROLE`, or by hand as the owner of the tables:
--   psql -1 -v ON_ERROR_STOP=1 -v role=ROLE -f THIS_FILE
-- The role must exist. What it had before on these objects is taken away first, so that it never has more.

revoke all on users, currencies, customers, taxes, peers, invoices, cdrs, past_calls, past_sums, known_calls, dead_letters,
  dead_letter_events, dead_letter_keys, letter_keys, console_sessions, console_attempts, console_addresses, customer_keys,
  source_rules, heard, sequence_runs, replays, replay_letters, activity, corrections,
  correction_orders, _prisma_migrations from :"role";
revoke all on sequence dead_letters_id_seq, dead_letter_events_id_seq, customer_keys_id_seq, replays_id_seq,
  activity_id_seq from :"role";

grant usage on schema public to :"role";
grant select on _prisma_migrations to :"role";

grant select on currencies, customers, taxes, peers, invoices, cdrs, past_calls, past_sums, known_calls,
  customer_keys, source_rules to :"role";
grant select on corrections to :"role";
grant select, delete on correction_orders to :"role";
grant delete on cdrs to :"role";
grant insert on past_calls to :"role";
grant insert, update on past_sums to :"role";
grant select, delete on dead_letters, dead_letter_events to :"role";
grant select, delete on dead_letter_keys to :"role";
-- For the lock on a row that goes; PostgreSQL asks for a column that may be written.
grant update (closed_at) on dead_letters to :"role";
grant select, delete on replays, replay_letters, activity to :"role";
