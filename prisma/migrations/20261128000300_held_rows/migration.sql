-- For a `failed` letter: the row whose holder kept its call from being stored. It is tried again, once, when the row is free.
ALTER TABLE "dead_letters" ADD COLUMN "waits_for" TEXT;

-- From here on by hand: what Prisma's schema cannot say.

-- Ends the statement that settles a batch when rows did not move although what their calls were charged on still
-- holds: a trigger or row security is in the way, and only the calls of these rows must wait. Volatile (the default), so
-- that no planner leaves a call of it out.
CREATE FUNCTION "settle_moved"(rows TEXT, unmoved INTEGER[]) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(unmoved) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'CDR02', MESSAGE = rows || ' ' || array_to_string(unmoved, ',');
    END IF;
    RETURN true;
END
$$;

-- Every transaction that may be in the way of a row with this xmax: itself, and where several have it at once, each of them
-- but those that only keep its key (foreign keys), which are in nobody's way.
CREATE FUNCTION "row_holders"(holder XID) RETURNS SETOF XID LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT holder;
    BEGIN
        RETURN QUERY SELECT member."xid" FROM pg_get_multixact_members(holder) AS member WHERE member."mode" <> 'keysh';
    EXCEPTION WHEN OTHERS THEN
        -- The xmax is a transaction and no list of them.
        RETURN;
    END;
END
$$;
