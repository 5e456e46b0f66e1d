-- A deletion request goes only where the design says, whoever writes: also a shell, an administrator's tool, a mistake.
CREATE OR REPLACE FUNCTION erasure_states() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    ways CONSTANT text[] := {ways};
    ended CONSTANT text[] := ARRAY['completed', 'completed-with-exceptions', 'refused', 'cancelled', 'unconfirmed'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'received' THEN
            RAISE EXCEPTION 'a deletion request begins as received' USING ERRCODE = 'MP010';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.id <> OLD.id OR NEW.reference <> OLD.reference OR NEW.asked_at <> OLD.asked_at
       OR NEW.channel <> OLD.channel OR NEW.scope <> OLD.scope OR NEW.agent <> OLD.agent THEN
        RAISE EXCEPTION 'what was asked for, and when, does not change' USING ERRCODE = 'MP011';
    END IF;
    IF NEW.subjects <> OLD.subjects AND OLD.state NOT IN ('received', 'identity', 'approval') THEN
        RAISE EXCEPTION 'whose request this is does not change once it was approved' USING ERRCODE = 'MP011';
    END IF;
    IF OLD.state = ANY (ended) AND (NEW.state <> OLD.state OR NEW.ended_at IS DISTINCT FROM OLD.ended_at
       OR (OLD.receipt IS NOT NULL AND NEW.receipt IS DISTINCT FROM OLD.receipt)) THEN
        RAISE EXCEPTION 'a request that has ended does not change' USING ERRCODE = 'MP012';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) = ANY (ways) THEN
        RAISE EXCEPTION 'a deletion request cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'MP010';
    END IF;
    RETURN NEW;
END
$body$;
DROP TRIGGER IF EXISTS erasure_states ON erasure_erasure;
CREATE TRIGGER erasure_states BEFORE INSERT OR UPDATE ON erasure_erasure
    FOR EACH ROW EXECUTE FUNCTION erasure_states();
