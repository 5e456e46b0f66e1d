-- Beside a collection, whichever store holds its vectors: history, message buffer, gate, use log, stopped wordings.
CREATE TABLE IF NOT EXISTS {history} (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    memory_id uuid NOT NULL,
    old_memory text,
    new_memory text,
    event text NOT NULL,
    created_at text,
    updated_at text,
    is_deleted boolean NOT NULL DEFAULT false,
    actor_id text,
    role text,
    purged boolean NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS {messages} (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    agent text,
    run text,
    role text,
    name text,
    content text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS {gate} (
    subject text NOT NULL,
    agent text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('paused', 'restricted', 'erasing')),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, agent, state)
);
CREATE TABLE IF NOT EXISTS {uses} (
    subject text NOT NULL,
    memory_id uuid NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    agent text,
    run text,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, memory_id, seq)
);
CREATE TABLE IF NOT EXISTS {never} (
    subject text NOT NULL,
    digest bytea NOT NULL,
    salt bytea NOT NULL,
    key_name text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, digest)
);
-- The end of the use log's old entries, of everybody: the portal's login sees one person's rows only.
CREATE OR REPLACE FUNCTION {prune_uses}(days integer, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
    WITH old AS (
        SELECT subject, memory_id, seq FROM {uses} WHERE at < now() - make_interval(days => GREATEST(days, 1)) LIMIT most
    ), gone AS (
        DELETE FROM {uses} u USING old WHERE (u.subject, u.memory_id, u.seq) = (old.subject, old.memory_id, old.seq)
        RETURNING 1
    )
    SELECT count(*) FROM gone
$body$;
REVOKE ALL ON FUNCTION {prune_uses}(integer, integer) FROM PUBLIC;
