-- The trail: append-only, partitioned by month, every event chained to the one before it.
-- The app's login may EXECUTE audit_append and SELECT; it has no other right on these tables. Only a function can set the
-- time: a BEFORE trigger may not move a row into another month's partition.
CREATE TABLE audit_event (
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    action text NOT NULL,
    subject text,
    object text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    grant_id text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}',
    prev_hash text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX audit_event_subject ON audit_event (subject, seq DESC) WHERE subject IS NOT NULL;
CREATE INDEX audit_event_actor ON audit_event (actor, seq DESC);
CREATE INDEX audit_event_grant ON audit_event (grant_id, seq) WHERE grant_id <> '';

-- A field as its length and its bytes, so that no two different events read alike.
CREATE FUNCTION audit_part(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value IS NULL THEN '-;' ELSE octet_length(value)::text || ':' || value || ';' END
$$;

-- The time enters as epoch microseconds: its text would depend on the session's time zone.
CREATE FUNCTION audit_hash(e audit_event) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(
        audit_part(e.seq::text) || audit_part((extract(epoch FROM e.at) * 1000000)::bigint::text)
        || audit_part(e.actor) || audit_part(e.role) || audit_part(e.action) || audit_part(e.subject)
        || audit_part(e.object) || audit_part(e.reason) || audit_part(e.grant_id) || audit_part(e.request_id)
        || audit_part(e.details::text) || audit_part(e.prev_hash), 'UTF8')), 'hex')
$$;

CREATE FUNCTION audit_partition(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    name text := 'audit_event_' || to_char(moment, 'YYYY_MM');
    first timestamptz := date_trunc('month', moment);
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_event FOR VALUES FROM (%L) TO (%L)',
                   name, first, first + interval '1 month');
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'memoryportal_app') THEN
        EXECUTE format('REVOKE ALL ON public.%I FROM memoryportal_app', name);
    END IF;
END
$$;

CREATE FUNCTION audit_append(
    p_actor text, p_role text, p_action text, p_subject text, p_object text, p_reason text, p_grant text,
    p_request text, p_details jsonb
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    last audit_head;
    event audit_event;
BEGIN
    INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, repeat('0', 64)) ON CONFLICT (id) DO NOTHING;
    SELECT * INTO last FROM audit_head WHERE id = 1 FOR UPDATE;
    event.seq := last.seq + 1;
    event.at := clock_timestamp();
    event.actor := p_actor;
    event.role := p_role;
    event.action := p_action;
    event.subject := p_subject;
    event.object := p_object;
    event.reason := p_reason;
    event.grant_id := p_grant;
    event.request_id := p_request;
    event.details := p_details;
    event.prev_hash := last.hash;
    event.hash := audit_hash(event);
    PERFORM audit_partition(event.at);
    INSERT INTO audit_event SELECT (event).*;
    UPDATE audit_head SET seq = event.seq, hash = event.hash WHERE id = 1;
    RETURN event.seq;
END
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is appended to, and never changed' USING ERRCODE = 'MA001';
END
$$;
CREATE TRIGGER audit_event_fixed BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_refuse();

SELECT audit_partition(now());
REVOKE ALL ON FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit_partition(timestamptz) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'memoryportal_app') THEN
        REVOKE ALL ON audit_event, audit_head FROM memoryportal_app;
        GRANT SELECT ON audit_event, audit_head TO memoryportal_app;
        GRANT EXECUTE ON FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb) TO memoryportal_app;
    END IF;
END
$$;
