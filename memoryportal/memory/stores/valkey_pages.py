"""Pages in the order of (created_at, id), the same on every reading.

The server sorts by whole seconds and leaves rows of one second in any order, so the second on which a page ends is read
whole and put in order here. And valkey-search up to 1.2 may sort a part of the matches only when LIMIT asks for fewer
(its issue 1052): so every page is checked against a count, and where that does not agree, or rows without a time are
among them, all rows of the selection are read and sorted here. That costs more and is never wrong.
"""

import math
from typing import Any

from ..rows import Row, parse_time, time_key
from ..scope import Order
from .valkey_client import Command
from .valkey_collection import MOST, Collection
from .valkey_query import Selection

_DOUBTS = 3  # pages in a row that the server sorted wrongly until it is not asked any more
Key = tuple[str, str]


class Pager:
    """Pages of a collection. It remembers whether its server can be trusted to sort."""

    def __init__(self) -> None:
        self._doubts = 0

    def page(
        self, collection: Collection, selection: Selection, after: Key | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        """(rows, whether more follow, total)."""
        if selection.impossible:
            return [], False, 0
        there = None
        if self._doubts < _DOUBTS and selection.exact:
            there = _Look(collection, selection, order)
        found = None if there is None else there.rows(after, limit + 1)
        if there is not None and there.checked:
            self._doubts = 0 if there.sorted else self._doubts + 1
        rows, total = found or _sorted_here(collection, selection, after, order)
        return rows[:limit], len(rows) > limit, total


def _sorted_here(
    collection: Collection, selection: Selection, after: Key | None, order: Order
) -> tuple[list[Row], int]:
    rows = collection.rows(selection)
    return in_order(_beyond(rows, after, order), order), len(rows)


class _Look:
    """One page that the server sorts. `checked`: its order was compared with a count; `sorted`: it agreed."""

    def __init__(self, collection: Collection, selection: Selection, order: Order) -> None:
        self.collection, self.selection, self.order = collection, selection, order
        self.checked = self.sorted = False

    def rows(self, after: Key | None, need: int) -> tuple[list[Row], int] | None:
        """At least the next `need` rows, where there are so many, and the total; None when that cannot be relied on."""
        second = None if after is None else _second(after[0])
        if after is not None and second is None:
            return None
        ahead = self.selection if second is None else self._ahead(second)
        direction = "DESC" if self.order == "newest" else "ASC"
        total, timed, first, ties = self._ask(
            self.collection.counting(self.selection.query),
            self.collection.counting(self.selection.timed_query),
            self._listing(ahead, need, "SORTBY", "created_at", direction),
            None if second is None else self._listing(self.selection.within(second, second + 1), MOST),
        )
        rows, tied = self._whole(ahead, first, need), self._complete(ties)
        if total[0] != timed[0] or rows is None or tied is None:
            return None
        return in_order([*_beyond(tied, after, self.order), *rows], self.order), int(total[0])

    def _whole(self, ahead: Selection, reply: list[Any], need: int) -> list[Row] | None:
        """The first rows, with every other row of the second at which they were cut off."""
        rows = self.collection.parse(reply)
        if len(rows) == reply[0]:
            return rows
        seconds = [_second(time_key(row[1])) for row in rows]
        known = [second for second in seconds if second is not None]
        if len(known) < need:
            return None
        edge = min(known) if self.order == "newest" else max(known)
        nearer = [row for row, second in zip(rows, seconds, strict=True) if second != edge]
        before = ahead.within(edge + 1, None) if self.order == "newest" else ahead.within(None, edge)
        count, last = self._ask(
            None if before.impossible else self.collection.counting(before.query),
            self._listing(ahead.within(edge, edge + 1), MOST),
        )
        self.checked, self.sorted = True, count[0] == len(nearer)
        at_edge = self._complete(last)
        return [*nearer, *at_edge] if self.sorted and at_edge is not None else None

    def _ahead(self, second: int) -> Selection:
        return (
            self.selection.within(None, second) if self.order == "newest" else self.selection.within(second + 1, None)
        )

    def _complete(self, reply: list[Any]) -> list[Row] | None:
        rows = self.collection.parse(reply)
        return rows if len(rows) == reply[0] else None

    def _listing(self, selection: Selection, limit: int, *more: Any) -> Command | None:
        return None if selection.impossible else self.collection.listing(selection, limit, *more)

    def _ask(self, *commands: Command | None) -> list[list[Any]]:
        """Replies in one round trip; what need not be asked is an empty one."""
        replies = iter(self.collection.server.run_all([command for command in commands if command]))
        return [next(replies) if command else [0] for command in commands]


def in_order(rows: list[Row], order: Order) -> list[Row]:
    return sorted(rows, key=_key, reverse=order == "newest")


def _key(row: Row) -> Key:
    return time_key(row[1]), str(row[0])


def _beyond(rows: list[Row], after: Key | None, order: Order) -> list[Row]:
    if after is None:
        return rows
    return [row for row in rows if (_key(row) < after if order == "newest" else _key(row) > after)]


def _second(text: str) -> int | None:
    """The second of a time's text. A cursor may hold any text, and a row a time that no clock has shown."""
    at = parse_time(text)
    return None if at is None else math.floor(at.timestamp())
