-- Beside a collection, whichever store holds its vectors: history, message buffer, gate.
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
    state text NOT NULL CHECK (state IN ('paused', 'erasing')),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, agent, state)
);
