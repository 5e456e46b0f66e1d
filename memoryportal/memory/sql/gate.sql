-- The gate's trigger. TG_ARGV[0]: 'payload' (mem0's tables) or 'subject' (history, messages);
-- TG_ARGV[1]: whether a pause refuses writes here ('yes' for memories, entities, messages; 'no' for history).
-- A pause lets an update pass in three cases only. The portal's own store has said in this transaction, for this one
-- correction, that the person makes it (`memoryportal.person`): whoever can send SQL under one of the logins could say
-- so too. The operator moves rows to another id (`memoryportal.rename`). Or it takes links away from a noted name and
-- changes nothing else: that is part of a deletion, and deletions always pass, during an erasure of one assistant too.
-- It takes the shared lock first and reads the gate second: the eraser commits the gate row and then waits for the
-- exclusive lock, so a writer either saw the row or has ended before anything is deleted.
CREATE OR REPLACE FUNCTION {gate_check}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
DECLARE
    who text;
    was text;
    by_agent text;
    was_agent text;
    by_run text;
    found_state text;
    unlinks boolean := false;
    same boolean := false;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'memory tables are written in READ COMMITTED only' USING ERRCODE = 'MP004';
    END IF;
    IF TG_ARGV[0] = 'payload' THEN
        who := NEW.payload->>'user_id';
        IF jsonb_typeof(NEW.payload->'user_id') NOT IN ('string', 'null') THEN
            who := '';  -- the number 5 reads like the text "5" here, and nowhere else
        END IF;
        by_agent := NEW.payload->>'agent_id';
        by_run := NEW.payload->>'run_id';
        IF TG_OP = 'UPDATE' THEN was := OLD.payload->>'user_id'; was_agent := OLD.payload->>'agent_id'; END IF;
    ELSE
        who := NEW.subject;
        IF TG_OP = 'UPDATE' THEN was := OLD.subject; END IF;
        IF TG_TABLE_NAME LIKE '%_messages' THEN
            by_agent := to_jsonb(NEW)->>'agent';
            IF TG_OP = 'UPDATE' THEN was_agent := to_jsonb(OLD)->>'agent'; END IF;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND was IS DISTINCT FROM who
       AND current_setting('memoryportal.rename', true) IS DISTINCT FROM 'yes' THEN
        RAISE EXCEPTION 'a row may not change its owner' USING ERRCODE = 'MP005';
    END IF;
    IF who IS NULL AND (by_agent <> '' OR by_run <> '') THEN
        RETURN NEW;  -- knowledge of an assistant: nobody's personal data
    END IF;
    -- What SubjectId refuses (scope.py): nobody could ever see or erase a row under such an id.
    IF who IS NULL OR who = '' OR length(who) > 128 OR who IS NOT NFC NORMALIZED
       OR who ~ ('[*,[:space:][:cntrl:]\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e'
           '\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb\U000110bd'
           '\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f'
           '\U000f0000-\U000ffffd\U00100000-\U0010fffd]') THEN
        RAISE EXCEPTION 'the subject of this row is refused' USING ERRCODE = 'MP003';
    END IF;
    IF TG_OP = 'UPDATE' AND TG_ARGV[0] = 'payload' THEN
        same := NEW.payload IS NOT DISTINCT FROM OLD.payload;
        unlinks := COALESCE(NEW.payload->'linked_memory_ids' <@ (OLD.payload->'linked_memory_ids')
            AND NEW.payload - 'linked_memory_ids' = OLD.payload - 'linked_memory_ids'
            AND to_jsonb(NEW) - 'payload' = to_jsonb(OLD) - 'payload', false);
    END IF;
    PERFORM pg_advisory_xact_lock_shared({lock_space}, hashtext(who) & 1023);
    SELECT max(state) INTO found_state FROM {gate}
        WHERE subject = who AND state = 'erasing';
    IF found_state IS NOT NULL AND (same OR NOT unlinks) THEN
        RAISE EXCEPTION 'the memories of this subject are being erased' USING ERRCODE = 'MP002';
    END IF;
    IF unlinks OR TG_ARGV[1] <> 'yes' OR (TG_OP = 'UPDATE' AND 'yes' IN (
        current_setting('memoryportal.person', true), current_setting('memoryportal.rename', true)
    )) THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM {gate} WHERE subject = who AND state = 'paused'
        AND agent IN ('', COALESCE(by_agent, ''), COALESCE(was_agent, ''));
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'remembering is paused for this subject' USING ERRCODE = 'MP001';
END
$body$;
