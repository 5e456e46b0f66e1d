-- A deletion request goes only where the design says, whoever writes: also a shell, an administrator's tool, a mistake.
-- It begins only when it is known who asks and whose data it is, and with a second person where the person themselves
-- did not ask. (That the ids are their own, moves.needs_second knows.) It ends as erased only with every place read, or
-- without those that two people agreed on.
CREATE OR REPLACE FUNCTION erasure_states() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    ways CONSTANT text[] := {ways};
    early CONSTANT text[] := ARRAY['received', 'identity', 'approval'];
    ended CONSTANT text[] := ARRAY['completed', 'completed-with-exceptions', 'refused', 'cancelled', 'unconfirmed'];
    accounts CONSTANT text[] := ARRAY['account_id', 'filed_by_id', 'identified_by_id', 'attached_by_id',
        'approved_by_id', 'reviewer_id', 'duplicate_of_id', 'except_by_id', 'except_agreed_by_id'];
    -- What is still forgotten after the end, and the receipt, which is signed in the same transaction.
    loose CONSTANT text[] := accounts || ARRAY['address', 'secret', 'secret_until', 'receipt'];
    was jsonb;
    becomes jsonb;
    who text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'received' THEN
            RAISE EXCEPTION 'a deletion request begins as received' USING ERRCODE = 'MP010';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.reference, NEW.asked_at, NEW.channel, NEW.scope, NEW.agent, NEW.keep_never, NEW.law, NEW.ticket)
       IS DISTINCT FROM
       (OLD.id, OLD.reference, OLD.asked_at, OLD.channel, OLD.scope, OLD.agent, OLD.keep_never, OLD.law, OLD.ticket)
    THEN
        RAISE EXCEPTION 'what was asked for, and when, does not change' USING ERRCODE = 'MP011';
    END IF;
    IF NEW.subjects <> OLD.subjects AND NOT (OLD.state = ANY (early) AND NEW.state = ANY (early || 'cancelled'::text))
    THEN
        RAISE EXCEPTION 'whose request this is does not change once it was approved' USING ERRCODE = 'MP011';
    END IF;
    IF OLD.state = ANY (ended) THEN
        was := to_jsonb(OLD);
        becomes := to_jsonb(NEW);
        IF was - loose <> becomes - loose OR NEW.address NOT IN (OLD.address, '')
           OR (OLD.receipt IS NOT NULL AND NEW.receipt IS DISTINCT FROM OLD.receipt) THEN
            RAISE EXCEPTION 'a request that has ended does not change' USING ERRCODE = 'MP012';
        END IF;
        FOREACH who IN ARRAY accounts LOOP  -- empty when the account is gone
            IF becomes->>who IS NOT NULL AND becomes->>who IS DISTINCT FROM was->>who THEN
                RAISE EXCEPTION 'a request that has ended does not change' USING ERRCODE = 'MP012';
            END IF;
        END LOOP;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) = ANY (ways) THEN
        RAISE EXCEPTION 'a deletion request cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'MP010';
    END IF;
    IF NEW.approved_by_id = ANY (ARRAY[NEW.account_id, NEW.filed_by_id, NEW.identified_by_id, NEW.attached_by_id]) THEN
        RAISE EXCEPTION 'nobody approves what they worked on, or what is about them' USING ERRCODE = 'MP013';
    END IF;
    IF NEW.except_agreed_at IS NOT NULL AND OLD.except_agreed_at IS NULL
       AND (OLD.state <> 'needs-attention' OR NEW.except_at IS NULL OR cardinality(NEW.excepted) = 0
            OR btrim(NEW.except_reason) = '' OR NEW.except_agreed_by_id IS NULL) THEN
        RAISE EXCEPTION 'a request ends without a place only where one asked for it, with a reason, and one agreed'
            USING ERRCODE = 'MP013';
    END IF;
    IF NEW.except_agreed_by_id = ANY (ARRAY[NEW.account_id, NEW.except_by_id]) THEN
        RAISE EXCEPTION 'nobody agrees to what they asked for, or what is about them' USING ERRCODE = 'MP013';
    END IF;
    IF NEW.except_agreed_at IS NOT NULL AND OLD.except_agreed_at IS NOT NULL
       AND (NEW.excepted, NEW.except_category, NEW.except_reason, NEW.except_at)
           IS DISTINCT FROM (OLD.excepted, OLD.except_category, OLD.except_reason, OLD.except_at) THEN
        RAISE EXCEPTION 'what two people agreed on does not change' USING ERRCODE = 'MP013';
    END IF;
    IF NEW.state = 'completed' AND EXISTS (
        SELECT FROM public.erasure_erasurestep s
        WHERE s.erasure_id = NEW.id AND (s.left IS DISTINCT FROM 0 OR s.problem <> '')
    ) THEN
        RAISE EXCEPTION 'a place was not read, or was not empty' USING ERRCODE = 'MP014';
    END IF;
    IF NEW.state = 'completed-with-exceptions' AND EXISTS (
        SELECT FROM public.erasure_erasurestep s
        WHERE s.erasure_id = NEW.id AND (
            s.left IS NULL AND (NEW.except_agreed_at IS NULL OR s.place <> ALL (NEW.excepted))
            OR s.left > 0 AND NEW.except_agreed_at IS NOT NULL)
    ) THEN
        RAISE EXCEPTION 'a place was not read, and nobody agreed to end without it, or another one is not empty'
            USING ERRCODE = 'MP014';
    END IF;
    IF NEW.state IN ('waiting', 'erasing') AND OLD.state = ANY (early || 'on-hold'::text) THEN
        IF NEW.identified_at IS NULL OR cardinality(NEW.subjects) = 0 THEN
            RAISE EXCEPTION 'nobody has shown who asks, or whose data it is about' USING ERRCODE = 'MP013';
        END IF;
        IF NEW.approved_at IS NULL
           AND (NEW.identified_how NOT IN ('session', 'mail') OR NEW.attached_at IS NOT NULL) THEN
            RAISE EXCEPTION 'a second person has to approve this request' USING ERRCODE = 'MP013';
        END IF;
    END IF;
    RETURN NEW;
END
$body$;
DROP TRIGGER IF EXISTS erasure_states ON erasure_erasure;
CREATE TRIGGER erasure_states BEFORE INSERT OR UPDATE ON erasure_erasure
    FOR EACH ROW EXECUTE FUNCTION erasure_states();
