-- By hand. A version from before `prune` does not look into past_calls: run again, it would store and charge a pruned call anew.
-- Versions since then look there themselves, and those that say so are spared the look here. With the rights of the owner,
-- for a role that may write calls need not be one that may read past_calls.
CREATE FUNCTION "refuse_past_call"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (SELECT FROM public.past_calls p WHERE p.uniqueid = NEW.uniqueid) THEN
        RAISE EXCEPTION USING ERRCODE = 'CDR03',
            MESSAGE = 'this call was stored and charged before and has been pruned: a version of cdr-ingest that knows pruned calls answers it';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER "refuse_past_call" BEFORE INSERT ON "cdrs" FOR EACH ROW
    WHEN (current_setting('cdr_ingest.knows_past_calls', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION "refuse_past_call"();
