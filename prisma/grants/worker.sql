-- The least that `worker` needs: it stores and charges calls and keeps dead letters. It takes no call away, and writes
-- neither users nor sessions.
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

grant select on users, currencies, customers, taxes, peers, invoices, cdrs, past_calls, known_calls, customer_keys
  to :"role";
grant insert on cdrs to :"role";
grant select, insert on corrections to :"role";
grant select on correction_orders to :"role";
grant update (responses, answered_at) on correction_orders to :"role";
-- What an operator has ordered and it has booked.
grant insert on activity to :"role";
grant usage on sequence activity_id_seq to :"role";
-- Also what locking a row needs.
grant update (balance, charged, calls) on customers to :"role";
grant update (calls, cost, tax, total) on invoices to :"role";
grant select, insert, update on dead_letters, dead_letter_events to :"role";
grant insert on dead_letter_keys to :"role";
-- What it hears of feeds and switches, and by which rule each feed makes uniqueids.
grant select, insert, update on source_rules, heard to :"role";
grant select, insert, update, delete on sequence_runs to :"role";
grant usage on sequence dead_letters_id_seq, dead_letter_events_id_seq to :"role";
grant execute on function settle_assert(boolean, text), settle_moved(text, integer[]), row_holders(xid),
  letter_digest(bytea) to :"role";
