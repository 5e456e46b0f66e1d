"""Make a PostgreSQL database fit for the portal: tables, owner index, row-level security, gate, no statistics on text.

Idempotent, and safe on a table that a plain mem0 made and is using. Runs as the tables' owner.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from memoryportal.base.backend.base import describe

from .configuration import Configuration, configuration
from .controls import LOCK_SPACE
from .errors import StoreUnavailable
from .names import Tables
from .refused import keep_count
from .stores import build
from .stores.conditions import CREATED

SQL = Path(__file__).parent / "sql"
OURS = "created by MemoryPortal"  # a comment on tables that no plain mem0 made
KNOWLEDGE_KEY = sql.SQL("((payload->>'agent_id')) WHERE payload->>'user_id' IS NULL")
KNOWN_BY = sql.SQL(
    "payload->>'user_id' IS NULL AND payload->>'agent_id' = NULLIF(current_setting('memoryportal.knowledge', true), '')"
)
_ONE_AT_A_TIME = (LOCK_SPACE, -1)
POLL_SECONDS = 0.1
# The name of a constraint from before there was a restriction.
OLD_STATES = (
    "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' "
    "AND pg_get_constraintdef(oid) NOT LIKE '%%restricted%%'"
)
BATCH = 500
# (table suffix, how the gate finds the subject, whether a pause refuses inserts)
GATED = (
    ("", "payload", "yes"),
    ("entities", "payload", "yes"),
    ("history", "subject", "no"),
    ("messages", "subject", "yes"),
)
VECTOR_TABLES = ("", "entities")  # in PostgreSQL only when the store is pgvector
# Without text; their owner has to see every row: the gate's trigger reads for everybody, old uses end for everybody.
UNFORCED = ("gate", "uses")
TEXT_COLUMNS = {
    "": ("vector", "payload"),
    "entities": ("vector", "payload"),
    "history": ("subject", "old_memory", "new_memory", "actor_id"),
    "messages": ("subject", "name", "content"),
    "gate": ("subject",),
    "uses": ("subject", "agent", "run"),
    "never": ("subject",),
}


class Preparation:
    """One run of `prepare_store`. `done` collects a sentence for each thing that was changed."""

    def __init__(self, connection: psycopg.Connection[Any], configured: Configuration) -> None:
        self.connection, self.configured = connection, configured
        self.tables = Tables(configured.collection)
        self.done: list[str] = []
        self.ours = False
        self.beside = configured.provider == "pgvector"
        self.suffixes = [suffix for suffix in TEXT_COLUMNS if self.beside or suffix not in VECTOR_TABLES]

    def run(self) -> list[str]:
        """Prepare everything, in an order that never leaves a table open to more than before."""
        with self._alone():
            self.ours = not self.beside or not self._exists(self.tables.name())
            self._tables()
            self._refused()
            self._statistics()
            self._indexes()
            self._forget_indexes()
            if self.beside:
                self._times()
            self._gate()
            self._row_security()
            if self.beside:
                self._knowledge()
        return self.done

    def execute(self, statement: str | sql.SQL | sql.Composed, params: Any = None) -> psycopg.Cursor[Any]:
        return self.connection.execute(sql.SQL(statement) if isinstance(statement, str) else statement, params)

    def _value(self, statement: str, params: Any = None) -> Any:
        """The first column of the only row."""
        row = self.execute(statement, params).fetchone()
        return row[0] if row else None

    def _exists(self, table: str) -> bool:
        quoted = sql.Identifier(table).as_string(self.connection)
        return self._value("SELECT to_regclass(%s)", (quoted,)) is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs at once would race on CREATE (mem0's own first use does).

        Polls: whoever waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that one.
        """
        while not self._value("SELECT pg_try_advisory_lock(%s, %s)", _ONE_AT_A_TIME):
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self.execute("SELECT pg_advisory_unlock(%s, %s)", _ONE_AT_A_TIME)

    def _template(self, name: str) -> sql.Composed:
        values: dict[str, sql.Composable] = {
            suffix or "memories": self.tables.identifier(suffix)
            for suffix in (*TEXT_COLUMNS, "knowledge", "refused", "prune_uses")
        }
        values["known_by"] = KNOWN_BY
        values["refused_like"] = self.tables.identifier("refused_like")
        values["gate_check"] = self.tables.identifier("gate_check")
        values["dimensions"] = sql.Literal(self.configured.dimensions)
        values["lock_space"] = sql.Literal(LOCK_SPACE)
        values["schema"] = sql.Identifier(self._value("SELECT current_schema()"))
        return sql.SQL((SQL / name).read_text()).format(**values)

    def _tables(self) -> None:
        if self.beside and self.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone() is None:
            self.execute("CREATE EXTENSION vector")
            self.done.append("created the extension vector")
        before = [name for name in self._names() if self._exists(name)]
        with self.connection.transaction():
            if self.beside:
                self.execute(self._template("vectors.sql"))
            self.execute(self._template("side.sql"))
            self._states()
            function, role = self.tables.identifier("prune_uses"), sql.Identifier(self.configured.scoped_role)
            self.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {}(integer, integer) TO {}").format(function, role))
        if self.beside and self.ours:
            self.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self.tables.memories, sql.Literal(OURS)))
        self.done += [f"created the table {name}" for name in self._names() if name not in before]

    def _states(self) -> None:
        """Tables from before there was a restriction refuse it."""
        constraint = self._value(OLD_STATES, (self.tables.gate.as_string(self.connection),))
        if constraint:
            statement = "ALTER TABLE {} DROP CONSTRAINT {}, ADD CHECK (state IN ('paused', 'restricted', 'erasing'))"
            self.execute(sql.SQL(statement).format(self.tables.gate, sql.Identifier(constraint)))
            self.done.append(f"let the table {self.tables.name('gate')} hold restrictions")

    def _refused(self) -> None:
        """Where refused ids are counted. The portal's login may ask about one person, and read nothing."""
        if not self._exists(self.tables.name("refused")):
            self.done.append(f"created the table {self.tables.name('refused')}")
        with self.connection.transaction():
            self.execute(self._template("refused.sql"))
            if self._has_app():
                self.execute(sql.SQL("REVOKE ALL ON {} FROM memoryportal_app").format(self.tables.refused))
            function, role = self.tables.identifier("refused_like"), sql.Identifier(self.configured.scoped_role)
            self.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {}(text) TO {}").format(function, role))
        self._forget(self.tables.name("refused"), "plain")

    def _names(self) -> list[str]:
        return [self.tables.name(suffix) for suffix in self.suffixes]

    def _statistics(self) -> None:
        """ANALYZE copies texts into pg_statistic, where they outlive every DELETE."""
        for suffix in self.suffixes:
            for column in TEXT_COLUMNS[suffix]:
                self._forget(self.tables.name(suffix), column)

    def _forget(self, table: str, column: str) -> None:
        attribute = self.execute(
            "SELECT attstattarget FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            (sql.Identifier(table).as_string(self.connection), column),
        ).fetchone()
        if attribute and attribute[0] != 0:
            self.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS 0").format(
                    sql.Identifier(table), sql.Identifier(column)
                )
            )
            self.done.append(f"stopped statistics on {table}.{column}")
        self._clear(table, column)

    def _clear(self, relation: str, attribute: str) -> None:
        kept = (
            self.execute(
                "SELECT 1 FROM pg_statistic s "
                "JOIN pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum "
                "WHERE s.starelid = %s::regclass AND a.attname = %s",
                (sql.Identifier(relation).as_string(self.connection), attribute),
            )
            if self._may_read_statistics()
            else None
        )
        if kept is not None and kept.fetchone() is None:
            return
        if self.connection.info.server_version >= 180000:
            self.execute("SELECT pg_clear_attribute_stats(current_schema(), %s, %s, false)", (relation, attribute))

    def _may_read_statistics(self) -> bool:
        return bool(self._value("SELECT has_table_privilege('pg_catalog.pg_statistic', 'SELECT')"))

    def _indexes(self) -> None:
        owner = sql.SQL("((payload->>'user_id'))")
        key = sql.SQL("((payload->>'user_id'), {} DESC, id DESC)").format(CREATED)
        if self.beside:
            self._index(self.tables.name(), f"{self.tables.name()}_owner_idx", key)
            self._index(self.tables.name(), f"{self.tables.name()}_knowledge_idx", KNOWLEDGE_KEY)
            self._index(self.tables.name("entities"), f"{self.tables.name('entities')}_owner_idx", owner)
        self._index(
            self.tables.name("history"),
            f"{self.tables.name('history')}_owner_idx",
            sql.SQL("(subject, memory_id, seq)"),
        )
        self._index(
            self.tables.name("messages"), f"{self.tables.name('messages')}_owner_idx", sql.SQL("(subject, seq)")
        )
        self._index(self.tables.name("uses"), f"{self.tables.name('uses')}_at_idx", sql.SQL("USING brin (at)"))

    def _index(self, table: str, name: str, columns: sql.Composable) -> None:
        broken = self.execute(
            "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid",
            (sql.Identifier(name).as_string(self.connection),),
        ).fetchone()
        if broken:  # an earlier CONCURRENTLY that was interrupted
            self.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))
        if not self._exists(name):
            statement = sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} {}")
            self.execute(statement.format(sql.Identifier(name), sql.Identifier(table), columns))
            self.done.append(f"created the index {name}")

    def _forget_indexes(self) -> None:
        """ANALYZE looks into every indexed expression too: mem0's own word index repeats the words of all texts."""
        for name in self._names():
            for index, number, attribute, target in self.execute(
                "SELECT c.relname, a.attnum, a.attname, a.attstattarget FROM pg_index i "
                "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = i.indexrelid "
                "WHERE i.indrelid = %s::regclass AND i.indkey[a.attnum - 1] = 0 ORDER BY c.relname, a.attnum",
                (sql.Identifier(name).as_string(self.connection),),
            ).fetchall():
                if target != 0:
                    statement = sql.SQL("ALTER INDEX {} ALTER COLUMN {} SET STATISTICS 0")
                    self.execute(statement.format(sql.Identifier(index), sql.Literal(number)))
                    if f"created the index {index}" not in self.done:
                        self.done.append(f"stopped statistics on {index}.{attribute}")
                self._clear(index, attribute)

    def _times(self) -> None:
        """Old mem0 wrote local offsets; pages sort by text, so every time becomes UTC once.

        A batch at a time: each row goes into mem0's approximate index anew (2 ms), so a large table takes minutes, in
        which nobody who changes such a row shall wait for more than a batch, and an interrupted run is not lost.
        """
        changed = 0
        local = self._local_time()
        self.execute("SELECT set_config('memoryportal.person', 'yes', false)")  # no change that a pause is against
        update = sql.SQL(
            "UPDATE {} SET payload = jsonb_set(payload, '{{created_at}}', to_jsonb(to_char("
            "(payload->>'created_at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"'))) "
            "WHERE id = ANY(%s) AND {}"
        ).format(self.tables.memories, local)
        with self.connection.cursor("local_times", withhold=True) as found:
            found.execute(sql.SQL("SELECT id FROM {} WHERE {}").format(self.tables.memories, local))
            while ids := [row[0] for row in found.fetchmany(BATCH)]:
                changed += self.execute(update, (ids,)).rowcount
        if changed:
            self.done.append(f"turned created_at of {changed} memories into UTC")

    def _local_time(self) -> sql.Composable:
        """The condition of rows with a time in another zone than UTC, that PostgreSQL can read."""
        checkable = self.connection.info.server_version >= 160000
        return sql.SQL(
            "payload->>'created_at' ~ '^\\d{{4}}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?([+-]\\d\\d:\\d\\d|Z)$' "
            "AND payload->>'created_at' !~ '[+]00:00$' AND {}"
        ).format(sql.SQL("pg_input_is_valid(payload->>'created_at', 'timestamptz')" if checkable else "true"))

    def _gate(self) -> None:
        with self.connection.transaction():
            self.execute(self._template("gate.sql"))
            for suffix, subject_in, pausable in GATED:
                if suffix not in self.suffixes:
                    continue
                table = self.tables.identifier(suffix)
                self.execute(sql.SQL("DROP TRIGGER IF EXISTS memoryportal_gate ON {}").format(table))
                self.execute(
                    sql.SQL(
                        "CREATE TRIGGER memoryportal_gate BEFORE INSERT OR UPDATE ON {} FOR EACH ROW "
                        "EXECUTE FUNCTION {}({}, {})"
                    ).format(
                        table, self.tables.identifier("gate_check"), sql.Literal(subject_in), sql.Literal(pausable)
                    )
                )

    def _row_security(self) -> None:
        """A login that is not the owner sees one subject's rows. FORCE binds the owner too, where tables are ours."""
        role = self.configured.scoped_role
        owner = conninfo_to_dict(self.configured.owner_dsn).get("user")
        with self.connection.transaction():
            for suffix in self.suffixes:
                self._policy(suffix, forced=self.ours and suffix not in UNFORCED)
            if role == owner:
                self.done.append(
                    f"WARNING: the portal connects as the tables' owner ({role}): the wall in the database is off"
                )
                return
            for suffix in self.suffixes:
                table = self.tables.identifier(suffix)
                self.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(table))
                self.execute(
                    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, sql.Identifier(role))
                )
            self._revoke_app()

    def _policy(self, suffix: str, *, forced: bool) -> None:
        table = self.tables.identifier(suffix)
        subject = sql.SQL("payload->>'user_id'") if suffix in ("", "entities") else sql.SQL("subject")
        # One equality. `->>` is not leakproof, so no other condition may use an index; an OR here would have every page
        # fetch and sort all of a person's rows, and those that belong to no person besides.
        mine = sql.SQL("{} = current_setting('memoryportal.subject', true)").format(subject)
        self.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table))
        if forced:
            self.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table))
        self.execute(sql.SQL("DROP POLICY IF EXISTS memoryportal_subject ON {}").format(table))
        self.execute(
            sql.SQL("CREATE POLICY memoryportal_subject ON {} USING ({}) WITH CHECK ({})").format(table, mine, mine)
        )

    def _knowledge(self) -> None:
        """The portal's one way to rows without a person: a view, which reads as its owner."""
        view, role = self.tables.identifier("knowledge"), sql.Identifier(self.configured.scoped_role)
        if not self._exists(self.tables.name("knowledge")):
            self.done.append(f"created the view {self.tables.name('knowledge')}")
        with self.connection.transaction():
            self.execute(self._template("knowledge.sql"))
            self._knowledge_policy()
            self.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(view))
            self.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(view, role))
            if self._has_app():
                self.execute(sql.SQL("REVOKE ALL ON {} FROM memoryportal_app").format(view))

    def _knowledge_policy(self) -> None:
        """FORCE binds the view's owner too. The portal's login keeps the one equality of the other policy."""
        owner, forced = self.execute(
            "SELECT (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass), relforcerowsecurity "
            "FROM pg_class WHERE oid = %s::regclass",
            [self.tables.identifier(suffix).as_string(self.connection) for suffix in ("knowledge", "")],
        ).fetchone()  # type: ignore[misc]
        self.execute(sql.SQL("DROP POLICY IF EXISTS memoryportal_knowledge ON {}").format(self.tables.memories))
        if forced:
            statement = sql.SQL("CREATE POLICY memoryportal_knowledge ON {} TO {} USING ({})")
            self.execute(statement.format(self.tables.memories, sql.Identifier(owner), KNOWN_BY))

    def _has_app(self) -> bool:
        return self.execute("SELECT 1 FROM pg_roles WHERE rolname = 'memoryportal_app'").fetchone() is not None

    def _revoke_app(self) -> None:
        """Django's own login has no business in the memory tables, whatever its default privileges say."""
        if self._has_app():
            for suffix in self.suffixes:
                self.execute(sql.SQL("REVOKE ALL ON {} FROM memoryportal_app").format(self.tables.identifier(suffix)))


def prepare_store(owner_dsn: str | None = None) -> list[str]:
    """Prepare the configured store; returns a sentence for each change. Raises StoreUnavailable."""
    configured = configuration()
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, autocommit=True, connect_timeout=3) as connection:
            done = Preparation(connection, configured).run() + build(configured).prepare()
            keep_count(connection, configured)
    except psycopg.Error as error:
        raise StoreUnavailable(f"the store could not be prepared: {describe(error)}") from None
    return done
