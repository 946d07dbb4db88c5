-- The least that `console` and the commands `dead …` (all but `dead prune`), `call …` and `invoice …` need, and `doctor`. A dry run persists in a
-- transaction that is rolled back, so it needs what a worker does. Users are made by the owner: whoever takes over the
-- console makes no operator.
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

grant select on users, currencies, customers, taxes, peers, invoices, cdrs, past_calls, past_sums, known_calls,
  customer_keys, heard, sequence_runs to :"role";
grant insert on cdrs to :"role";
grant select, insert on corrections to :"role";
grant select, insert, update on correction_orders to :"role";
grant update (balance, charged, calls) on customers to :"role";
grant update (calls, cost, tax, total) on invoices to :"role";
grant select, insert, update on dead_letters, dead_letter_events to :"role";
grant select, insert on dead_letter_keys to :"role";
grant usage on sequence dead_letters_id_seq, dead_letter_events_id_seq to :"role";
grant select, insert, update on replays, replay_letters to :"role";
grant select, insert on activity to :"role";
-- To count refused sign-ins in a row that is there.
grant update (detail) on activity to :"role";
grant usage on sequence replays_id_seq, activity_id_seq to :"role";
grant select, insert, update, delete on console_sessions, console_attempts, console_addresses to :"role";
grant execute on function settle_assert(boolean, text), letter_digest(bytea) to :"role";
