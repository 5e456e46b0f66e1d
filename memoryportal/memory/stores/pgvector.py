"""mem0's pgvector collection, read natively: true totals, stable pages, exact search.

`mem0-traps` in short: mem0 lists at most 20 rows in heap order, and its HNSW index returns next to nothing for one
person among many. Here every statement starts from the owner index, and ordering is exact (`+ 0.0` keeps the planner
from HNSW).
"""

from datetime import datetime
from typing import Any

from psycopg import sql

from .. import controls
from ..names import Tables
from ..pool import Cursor
from ..rows import Row, parse_time
from ..scope import AnyScope, Filters, Order, Scope
from ..types import Summary
from . import conditions
from .base import Abilities
from .conditions import CREATED, Conditions
from .pgvector_pipeline import PipelineMixin
from .pgvector_places import PlacesMixin

_DIRECTION = {"newest": (sql.SQL("DESC"), sql.SQL("<")), "oldest": (sql.SQL("ASC"), sql.SQL(">"))}
_EXPIRED = sql.SQL("(payload->>'expiration_date' COLLATE \"C\" < to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD'))")


class PgvectorStore(PlacesMixin, PipelineMixin):
    """One collection in PostgreSQL, through the scoped login."""

    abilities = Abilities(name="pgvector", fenced=True, atomic=True)

    def __init__(self, dsn: str, collection: str) -> None:
        self.dsn = dsn
        self.tables = Tables(collection)

    def page(
        self, scope: AnyScope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        where = conditions.of(scope, filters)
        direction, beyond = _DIRECTION[order]
        here = Conditions(list(where.parts), list(where.params))
        if after is not None:
            here.add(sql.SQL("({}, id) {} (%s, %s::uuid)").format(CREATED, beyond), *after)
        statement = sql.SQL(
            "WITH page AS (SELECT id, payload, {created} AS at FROM {table} WHERE {here} "
            "ORDER BY {created} {direction}, id {direction} LIMIT %s) "
            "SELECT page.id, page.payload, total.n FROM (SELECT count(*) AS n FROM {table} WHERE {where}) total "
            "LEFT JOIN page ON true ORDER BY page.at {direction}, page.id {direction}"
        ).format(created=CREATED, table=self.tables.memories, here=here.sql, where=where.sql, direction=direction)
        with self.open(scope) as cursor:
            rows = cursor.execute(statement, [*here.params, limit + 1, *where.params]).fetchall()
        found = [(row[0], row[1]) for row in rows if row[0] is not None]
        return found[:limit], len(found) > limit, int(rows[0][2])

    def count(self, scope: AnyScope, filters: Filters) -> int:
        where = conditions.of(scope, filters)
        statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(self.tables.memories, where.sql)
        with self.open(scope) as cursor:
            return int(cursor.execute(statement, where.params).fetchone()[0])  # type: ignore[index]

    def summary(self, scope: Scope, filters: Filters) -> Summary:
        where = conditions.of_scope(scope)
        dates = conditions.of_dates(filters)
        agent = conditions.of_names(Filters(agent=filters.agent))
        run = conditions.of_names(Filters(run=filters.run))
        statement = sql.SQL(
            "WITH own AS (SELECT payload->>'agent_id' AS agent, payload->>'run_id' AS run, "
            "NULLIF({created}, '') AS at, COALESCE({expired}, false) AS expired, "
            "{dates} AND {run_ok} AS for_agent, {dates} AND {agent_ok} AS for_run FROM {table} WHERE {where}) "
            "SELECT GROUPING(agent), GROUPING(run), agent, run, count(*), min(at), max(at), "
            "count(*) FILTER (WHERE expired), count(*) FILTER (WHERE for_agent), count(*) FILTER (WHERE for_run), "
            "(SELECT jsonb_agg(jsonb_build_array(agent, state, since)) FROM {gate} WHERE subject = %s) "
            "FROM own GROUP BY GROUPING SETS ((), (agent), (run)) ORDER BY count(*) DESC, agent, run"
        ).format(
            created=CREATED,
            expired=_EXPIRED,
            dates=dates.sql,
            run_ok=run.sql,
            agent_ok=agent.sql,
            table=self.tables.memories,
            gate=self.tables.gate,
            where=where.sql,
        )
        params = [*dates.params, *run.params, *dates.params, *agent.params, *where.params, str(scope.subject)]
        with self.open(scope) as cursor:
            rows = cursor.execute(statement, params).fetchall()
        return _to_summary(rows)

    def known_ids(self, scope: Scope) -> list[str]:
        """In one statement, and without the rows."""
        where = conditions.of_scope(scope)
        known, params = sql.SQL("SELECT id FROM {} WHERE {}").format(self.tables.memories, where.sql), where.params
        if not scope.is_narrowed:  # a row of the history does not say which assistant's memory it was of
            past = sql.SQL("SELECT memory_id FROM {} WHERE subject = %s").format(self.tables.history)
            known, params = sql.SQL("{} UNION {}").format(known, past), [*params, str(scope.subject)]
        statement = sql.SQL("SELECT id::text FROM ({}) known ORDER BY id").format(known)
        with self.open(scope) as cursor:
            return [row[0] for row in cursor.execute(statement, params).fetchall()]

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        statement = sql.SQL("SELECT id, payload FROM {} WHERE id = %s::uuid AND payload->>'user_id' = %s")
        with self.open(scope) as cursor:
            row = cursor.execute(statement.format(self.tables.memories), (memory_id, str(scope.subject))).fetchone()
        return (row[0], row[1]) if row else None

    def get_many(self, scope: AnyScope, ids: list[str]) -> list[Row]:
        where = conditions.of_scope(scope).add("id = ANY(%s::uuid[])", ids)
        statement = sql.SQL("SELECT id, payload FROM {} WHERE {}").format(self.tables.memories, where.sql)
        with self.open(scope) as cursor:
            return cursor.execute(statement, where.params).fetchall()

    def by_word(self, scope: AnyScope, words: list[str], filters: Filters, limit: int) -> list[Row]:
        where = conditions.of(scope, filters)
        for word in words:
            where.add("payload->>'data' ILIKE %s", conditions.like(word))
        statement = sql.SQL("SELECT id, payload FROM {} WHERE {} ORDER BY {} DESC, id DESC LIMIT %s")
        with self.open(scope) as cursor:
            return cursor.execute(
                statement.format(self.tables.memories, where.sql, CREATED), [*where.params, limit]
            ).fetchall()

    def by_vector(
        self, scope: Scope, vector: list[float], filters: Filters, limit: int, floor: float
    ) -> list[tuple[Any, dict[str, Any], float]]:
        with self.open(scope) as cursor:
            return search_exactly(cursor, self.tables.memories, scope, vector, filters, limit, floor)


def search_exactly(
    cursor: Cursor,
    table: sql.Identifier,
    scope: AnyScope,
    vector: list[float],
    filters: Filters,
    limit: int,
    floor: float,
) -> list[tuple[Any, dict[str, Any], float]]:
    """(id, payload, cosine similarity 0..1) of the scope's nearest rows, by exact distance."""
    where = conditions.of(scope, filters)
    text = "[" + ",".join(map(repr, map(float, vector))) + "]"
    statement = sql.SQL(
        "SELECT id, payload, GREATEST(0.0, 1.0 - distance) FROM (SELECT id, payload, vector <=> %s::vector AS distance "
        "FROM {} WHERE {} ORDER BY (vector <=> %s::vector) + 0.0, id LIMIT %s) nearest "
        # A row whose vector is all zeros is near nothing; PostgreSQL takes NaN for more than every floor.
        "WHERE distance <> 'NaN' AND 1.0 - distance >= %s ORDER BY distance, id"
    ).format(table, where.sql)
    rows = cursor.execute(statement, [text, *where.params, text, limit, floor]).fetchall()
    return [(row[0], row[1], float(row[2])) for row in rows]


def rank_by_words(
    cursor: Cursor, table: sql.Identifier, scope: AnyScope, query: str, limit: int
) -> list[tuple[Any, dict[str, Any], float]]:
    """(id, payload, rank) of the scope's rows that hold every word of `query`: what mem0's keyword_search returns.

    Row-level security keeps mem0's word index out, and making words of a text costs ten times as much as looking for
    letters in it: what does not hold the letters is not taken apart.
    """
    where = conditions.of_scope(scope)
    statement = sql.SQL(
        "SELECT id, payload, ts_rank_cd(to_tsvector('simple', payload->>'text_lemmatized'), query) AS rank "
        "FROM {}, plainto_tsquery('simple', %s) query WHERE {} AND lower(payload->>'text_lemmatized') LIKE ALL (ARRAY("
        "SELECT '%%' || regexp_replace(word, '([\\\\%%_])', '\\\\\\1', 'g') || '%%' "
        "FROM unnest(tsvector_to_array(to_tsvector('simple', %s))) word)) "
        "AND to_tsvector('simple', payload->>'text_lemmatized') @@ query ORDER BY rank DESC LIMIT %s"
    ).format(table, where.sql)
    rows = cursor.execute(statement, [query, *where.params, query, limit]).fetchall()
    return [(row[0], row[1], float(row[2])) for row in rows]


def _to_summary(rows: list[Any]) -> Summary:
    whole = next(row for row in rows if row[0] and row[1])
    agents = [(row[2], row[8]) for row in rows if not row[0] and row[8]]
    runs = [(row[3], row[9]) for row in rows if not row[1] and row[9]]
    return Summary(
        total=whole[4],
        since=parse_time(whole[5]),
        latest=parse_time(whole[6]),
        agents=sorted(agents, key=lambda pair: (-pair[1], pair[0] or "")),
        runs=sorted(runs, key=lambda pair: (-pair[1], pair[0] or "")),
        expired=whole[7],
        shut=controls.listed((agent, state, datetime.fromisoformat(since)) for agent, state, since in whole[10] or ()),
    )
