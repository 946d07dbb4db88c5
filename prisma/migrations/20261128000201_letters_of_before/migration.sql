-- By hand: what dead letters of versions before lack. Their costs, as far as they can be read; when they were closed, and that they
-- are no longer open; who was verified; what is not sent again as it stands. In portions, each committed by itself, so that
-- no worker waits for more than one of them; run again, it goes on with the rows that are left.
--
-- Verified are those that the worker refused after it had looked at the credentials, by the reason that they had before any
-- replay: conflict and forbidden always, rejected where somebody claims to have sent them. Without credentials a call was refused as
-- rejected too: then auth_username or auth_password is named, or no parameter at all, because its body could not be read. failed
-- had mostly been authenticated, but a message that had not could become failed as well (its letter was refused by the
-- database), so that it counts as not verified, as poison, unroutable and unauthenticated do.
--
-- Altered: a body that is no JSON object is text with masks in it, or was never read: it is not sent again as it stands.
DO $block$
DECLARE
    -- In their first form, which has these checksums, both migrations filled the rows themselves.
    fills_costs BOOLEAN := NOT EXISTS (SELECT FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL
        AND "checksum" = '62663560f8ce94d7c79e7a130b9b3364f7a7dec9deeb90f896b07f07eab3076f');
    fills_verified BOOLEAN := NOT EXISTS (SELECT FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL
        AND "checksum" = '61c014033a764df02ddabffd82d75d4adeadd61f74d1fa1ac0da44368152031c');
    last BIGINT := 0;
BEGIN
    IF NOT fills_costs AND NOT fills_verified THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION pg_temp.parameters_of(body TEXT) RETURNS JSONB LANGUAGE plpgsql AS $function$
    BEGIN
        RETURN CASE jsonb_typeof(body::jsonb) WHEN 'object' THEN body::jsonb END;
    EXCEPTION WHEN data_exception THEN
        RETURN NULL;
    END
    $function$;
    -- jsonb refuses texts that json takes, such as an escaped NUL.
    CREATE OR REPLACE FUNCTION pg_temp.is_call(body TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $function$
    BEGIN
        RETURN json_typeof(body::json) = 'object';
    EXCEPTION WHEN data_exception THEN
        RETURN false;
    END
    $function$;

    LOOP
        WITH portion AS MATERIALIZED (
            SELECT * FROM "dead_letters" WHERE "id" > last ORDER BY "id" LIMIT 1000
        ), priced AS (
            SELECT "id", coalesce(nullif(parameters ->> 'cost', ''), '0') AS cost, parameters ->> 'currency' AS currency
            FROM (SELECT "id", pg_temp.parameters_of("body") AS parameters FROM portion
                WHERE fills_costs AND "cost" IS NULL) AS letter
            WHERE parameters IS NOT NULL
        ), first AS (
            SELECT l.*, coalesce(e."detail" ->> 'reason', l."reason") AS first_reason,
                coalesce(e."detail" -> 'responses', l."responses") AS first_responses
            FROM portion l LEFT JOIN LATERAL (
                SELECT "detail" FROM "dead_letter_events" WHERE "dead_letter" = l."id" AND "event" = 'replayed'
                ORDER BY "id" LIMIT 1) AS e ON true
        ), told AS (
            SELECT l."id", p.cost, p.currency,
                coalesce(p.cost ~ '^-?(0|[1-9]\d{0,11})(\.\d{1,6})?$' AND coalesce(p.currency, 'USD') ~ '^[A-Z]{3}$', false)
                    AS is_priced,
                fills_costs AND l."closed_at" IS NULL AND l."status" IN ('resolved', 'discarded') AS is_closed,
                fills_verified AND NOT l."verified" AND l."submitted_by" IS NOT NULL
                    AND (l.first_reason IN ('conflict', 'forbidden') OR l.first_reason = 'rejected'
                        AND l.first_responses @> '[{"code": "400"}]' AND NOT l.first_responses @> '[{"key": ""}]'
                        AND NOT l.first_responses @> '[{"key": "auth_username"}]'
                        AND NOT l.first_responses @> '[{"key": "auth_password"}]') AS is_verified,
                fills_verified AND l."altered" = '{}' AND (NOT pg_temp.is_call(l."body")
                    OR (l."responses" @> '[{"key": ""}]' AND l."body" LIKE '%' || chr(65533) || '%')) AS is_altered
            FROM first l LEFT JOIN priced p USING ("id")
        ), changed AS (
            UPDATE "dead_letters" d SET
                "cost" = CASE WHEN t.is_priced THEN t.cost::numeric ELSE d."cost" END,
                "currency" = CASE WHEN t.is_priced THEN t.currency ELSE d."currency" END,
                "closed_at" = CASE WHEN t.is_closed THEN d."last_dead_at" ELSE d."closed_at" END,
                "verified" = d."verified" OR t.is_verified,
                "altered" = CASE WHEN t.is_altered THEN ARRAY[''] ELSE d."altered" END
            FROM told t WHERE d."id" = t."id" AND (t.is_priced OR t.is_closed OR t.is_verified OR t.is_altered
                -- Any update of the row lets its trigger correct this.
                OR d."is_open" IS DISTINCT FROM (d."status" IN ('dead', 'replaying')))
        )
        SELECT max("id") INTO last FROM portion;
        COMMIT;
        EXIT WHEN last IS NULL;
    END LOOP;
END
$block$;
