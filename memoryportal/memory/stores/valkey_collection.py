"""One collection on Valkey: its keys, its index, and the few commands that read and delete there.

Known traps of valkey-search 1.2.1, each with the measure against it:
- RETURN of indexed fields alone gives numbers with six digits: a field that is not indexed is always asked for too.
- SORTBY beside LIMIT may sort a part of the matches only (and beside NOCONTENT none): see valkey_pages.py.
- A search that runs into its time limit may answer with a part: ALLSHARDS forbids that.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import MemoryChanged
from ..rows import Row, recheck
from ..scope import AnyScope, Scope
from .valkey_client import PIPELINE, Command, Server
from .valkey_index import Definition
from .valkey_query import Selection
from .valkey_rows import FIELDS, IDS, similarity, to_bytes, to_row, to_vector

MOST = 100_000  # what the server hands out at most (search.max-nonvector-search-results-fetched)
TIMEOUT = ("TIMEOUT", 8000, "ALLSHARDS", "DIALECT", 2)  # milliseconds: the server gives up before the client does
RETURN = ("RETURN", len(FIELDS), *FIELDS)
LIGHT = (*IDS, "metadata", "created_at", "created_text")  # everything but the text


class Collection:
    """Rows under one prefix, found through one index."""

    def __init__(self, server: Server, definition: Definition) -> None:
        self.server, self.definition = server, definition

    def key(self, memory_id: str) -> str:
        return f"{self.definition.prefix}{memory_id}"

    # --- commands ------------------------------------------------------------------------------------------------

    def counting(self, query: str) -> Command:
        return ("FT.SEARCH", self.definition.name, query, "LIMIT", 0, 0, *TIMEOUT)

    def listing(self, selection: Selection, limit: int, *more: Any) -> Command:
        """Rows with their fields; `more` may sort them."""
        return ("FT.SEARCH", self.definition.name, selection.query, *RETURN, *more, "LIMIT", 0, limit, *TIMEOUT)

    # --- reading -------------------------------------------------------------------------------------------------

    def count(self, selection: Selection) -> int:
        """How many rows match: the server's own count where that is exact."""
        if selection.impossible:
            return 0
        if selection.exact:
            return int(self.server.run(*self.counting(selection.query))[0])
        return len(self.rows(selection, LIGHT))

    def keys(self, selection: Selection) -> list[bytes]:
        """Every key that the index has for these rows (a little more where the selection is not exact)."""
        if selection.impossible:
            return []
        found: dict[bytes, None] = {}
        while True:
            command = ("FT.SEARCH", self.definition.name, selection.query, "NOCONTENT")
            reply = self.server.run(*command, "LIMIT", len(found), MOST, *TIMEOUT)
            fresh = dict.fromkeys(reply[1:])
            if not fresh.keys() - found.keys():
                return list(found)
            found.update(fresh)
            if len(found) >= int(reply[0]):
                return list(found)

    def rows(self, selection: Selection, fields: Sequence[str] = FIELDS) -> list[Row]:
        """Every row of the selection, in no order. Of rows that turn out to be somebody's, no text is read."""
        keys = self.keys(selection)
        if selection.nobodys:
            there = zip(keys, self.server.run_all([("HGET", key, "user_id") for key in keys]), strict=True)
            keys = [key for key, person in there if person is None]
        return [row for row in self.read(keys, fields) if selection.keep(row[1])]

    def fetch(self, ids: Iterable[str], fields: Sequence[str] = FIELDS) -> list[Row]:
        """The rows with these ids that exist, whoever owns them."""
        return self.read([self.key(memory_id).encode() for memory_id in ids], fields)

    def read(self, keys: Sequence[bytes], fields: Sequence[str] = FIELDS) -> list[Row]:
        replies = self.server.run_all([("HMGET", key, *fields) for key in keys])
        hashes = ((key, dict(zip(fields, values, strict=True))) for key, values in zip(keys, replies, strict=True))
        return [to_row(self.definition.prefix, key, values) for key, values in hashes if any(values.values())]

    def parse(self, reply: list[Any]) -> list[Row]:
        """The rows of a `listing`'s reply."""
        return [row for row, _ in self._parse(reply)]

    def nearest(
        self, selection: Selection, vector: Sequence[float], limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        """(row, cosine similarity as 0..1) of the nearest rows that are as similar as `floor` (-1..1), best first."""
        if selection.impossible:
            return []
        if selection.nobodys:
            return self._nearest_read(selection, vector, limit, floor)
        query = f"({selection.query})=>[KNN {limit} @embedding $vector AS distance]"
        returned = ("RETURN", len(FIELDS) + 1, *FIELDS, "distance")
        command = ("FT.SEARCH", self.definition.name, query, *returned, "PARAMS", 2, "vector", to_bytes(vector))
        reply = self.server.run(*command, "LIMIT", 0, limit, *TIMEOUT)
        scored = [(row, 1.0 - float(values["distance"])) for row, values in self._parse(reply)]
        near = [(row, min(1.0, max(0.0, s))) for row, s in scored if s >= floor and selection.keep(row[1])]
        return sorted(near, key=lambda pair: (-pair[1], pair[0][0]))

    def _nearest_read(
        self, selection: Selection, vector: Sequence[float], limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        """As `nearest`, measured here: among the index's nearest, people's rows would take the place of these."""
        rows = self.rows(selection)
        stored = self.server.run_all([("HGET", self.key(str(row[0])), "embedding") for row in rows])
        scored = [(row, similarity(vector, to_vector(raw))) for row, raw in zip(rows, stored, strict=True) if raw]
        near = [(row, min(1.0, max(0.0, score))) for row, score in scored if score >= floor]
        return sorted(near, key=lambda pair: (-pair[1], pair[0][0]))[:limit]

    def _parse(self, reply: list[Any]) -> Iterator[tuple[Row, dict[str, bytes]]]:
        for key, flat in zip(reply[1::2], reply[2::2], strict=True):
            values = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
            yield to_row(self.definition.prefix, key, values), values

    # --- writing -------------------------------------------------------------------------------------------------

    def insert(self, rows: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Write these (id, fields), all or none."""
        self.server.write([self._setting(memory_id, fields) for memory_id, fields in rows])

    def rewrite(self, row: Row, fields: dict[str, Any]) -> None:
        """Write fields of a row that is still as it was read; else MemoryChanged, and nothing is written."""
        key = self.key(str(row[0]))
        with self.server.watching(key) as pipeline:
            values = dict(zip(FIELDS, pipeline.execute_command("HMGET", key, *FIELDS), strict=True))
            if not any(values.values()) or to_row(self.definition.prefix, key.encode(), values)[1] != row[1]:
                raise MemoryChanged("the memory was changed or deleted meanwhile; nothing was written")
            pipeline.multi()
            pipeline.execute_command(*self._setting(str(row[0]), fields))
            pipeline.execute()

    def _setting(self, memory_id: str, fields: dict[str, Any]) -> Command:
        return ("HSET", self.key(memory_id), *(part for pair in fields.items() for part in pair))

    # --- deleting ------------------------------------------------------------------------------------------------

    def unlink(self, scope: AnyScope, keys: Sequence[bytes], *, together: bool = False) -> int:
        """Delete these rows, each after its owner was compared again; how many there were. `together`: all or none.

        The index has no say here: a row whose hash names somebody else stays, whatever was found, and is reported.
        """
        removed = 0
        size = len(keys) if together else PIPELINE
        for start in range(0, len(keys), max(size, 1)):
            batch = keys[start : start + size]
            owners = self.server.run_all([("HMGET", key, *IDS) for key in batch])
            there = [(key, _owners(values)) for key, values in zip(batch, owners, strict=True) if any(values)]
            own = [row[0] for row in recheck(scope, there)]
            removed += sum(map(int, self.server.write([("UNLINK", key) for key in own])))
        return removed

    def stray(self, scope: Scope) -> list[bytes]:
        """Keys of the scope's rows found without the index, by reading every key of the collection."""
        return [key for key, values in self.everybody() if scope.owns(_owners(values))]

    def everybody(self) -> Iterator[tuple[bytes, list[bytes | None]]]:
        """(key, the stored IDS) of every row, found without the index: each key once."""
        pattern, cursor, seen = f"{_literal(self.definition.prefix)}*", 0, set()
        while True:
            reply = self.server.run("SCAN", cursor, "MATCH", pattern, "COUNT", 1000, "TYPE", "hash")
            cursor, keys = int(reply[0]), [key for key in reply[1] if key not in seen]
            seen.update(keys)
            yield from zip(keys, self.server.run_all([("HMGET", key, *IDS) for key in keys]), strict=True)
            if cursor == 0:
                return

    def move(self, old: str, new: str) -> int:
        """Give rows of exactly this owner to another; how many. Bytes are compared, no index is asked."""
        wanted, moved = old.encode("utf-8", "surrogateescape"), 0
        for key, values in list(self.everybody()):
            if values[0] == wanted:
                moved += self._give(key, wanted, new)
        return moved

    def _give(self, key: bytes, old: bytes, new: str) -> int:
        with self.server.watching(key) as pipeline:
            if pipeline.execute_command("HGET", key, "user_id") != old:
                return 0
            pipeline.multi()
            pipeline.execute_command("HSET", key, "user_id", new)
            pipeline.execute()
        return 1


def _owners(values: Sequence[bytes | None]) -> dict[str, Any]:
    named = zip(IDS, values, strict=True)
    return {name: value.decode("utf-8", "surrogateescape") for name, value in named if value is not None}


def _literal(prefix: str) -> str:
    """`prefix` in a pattern that matches it as it is."""
    return "".join(f"\\{c}" if c in "*?[]\\^-" else c for c in prefix)
