"""Recompute the whole trail and hold every signed head against it. Names the first thing that is wrong."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db import connection, transaction

from .heads import START, SignedHead, broken_link, read_heads

_COLUMNS = (
    "seq, (extract(epoch FROM at) * 1000000)::bigint, actor, role, action, subject, object, reason, grant_id, "
    "request_id, details::text, prev_hash"
)
BATCH = 5000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problem` is None when the trail is intact; else a sentence, with the number of the first bad event in `seq`."""

    events: int
    heads: int
    problem: str | None = None
    seq: int | None = None


class Broken(Exception):
    def __init__(self, seq: int | None, problem: str) -> None:
        super().__init__(problem)
        self.seq, self.problem = seq, problem


def expected_hash(row: tuple[Any, ...]) -> str:
    """The hash of an event, computed here and not by the database: whoever can change rows can change functions."""
    parts = ("-;" if value is None else f"{len(str(value).encode())}:{value};" for value in row)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _rows() -> Iterator[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DECLARE trail NO SCROLL CURSOR FOR SELECT {_COLUMNS}, hash FROM audit_event ORDER BY seq")
        while True:
            cursor.execute(f"FETCH {BATCH} FROM trail")
            rows = cursor.fetchall()
            yield from rows
            if len(rows) < BATCH:
                return


class Verification:
    """One walk along the trail."""

    def __init__(self, heads: list[SignedHead]) -> None:
        self.heads = heads
        self.signed: dict[int, list[SignedHead]] = {}
        for head in heads:
            self.signed.setdefault(head.seq, []).append(head)
        self.seq, self.hash = 0, START
        self.events = 0

    def _begin(self, first: int | None) -> None:
        """Start behind the months that were dropped. A prune that signed its head and then failed dropped nothing."""
        for head in self.heads:
            if head.kind == "prune" and (first is None or head.seq < first):
                self.seq, self.hash = head.seq, head.hash

    def walk(self) -> Verdict:
        try:
            if number := broken_link(self.heads):
                raise Broken(None, f"line {number} of the signed heads was replaced, removed or not signed by us")
            rows = _rows()
            first = next(rows, None)
            self._begin(None if first is None else int(first[0]))
            for row in rows if first is None else chain((first,), rows):
                self._step(row)
            self._end()
        except Broken as broken:
            return Verdict(self.events, len(self.heads), broken.problem, broken.seq)
        return Verdict(self.events, len(self.heads))

    def _step(self, row: tuple[Any, ...]) -> None:
        seq, prev, stored = int(row[0]), row[-2], row[-1]
        if seq <= self.seq:
            raise Broken(seq, f"event {seq} stands twice or was inserted")
        if seq != self.seq + 1:
            raise Broken(self.seq + 1, f"event {self.seq + 1} was removed")
        if expected_hash(row[:-1]) != stored:
            raise Broken(seq, f"event {seq} was changed")
        if prev != self.hash:
            raise Broken(seq, f"event {seq} does not follow the event before it: reordered, inserted or rewritten")
        self._compare(seq, stored)
        self.seq, self.hash = seq, stored
        self.events += 1

    def _compare(self, seq: int, stored: str) -> None:
        for head in self.signed.get(seq, []):
            if head.hash != stored:
                raise Broken(seq, f"event {seq} is not the one that was signed: the trail was rewritten up to there")

    def _end(self) -> None:
        latest = max(self.signed, default=0)
        if latest > self.seq:
            raise Broken(
                self.seq + 1,
                f"the trail ends at event {self.seq}, but event {latest} was signed: its tail was cut, "
                "or the database was restored from a backup",
            )
        with connection.cursor() as cursor:
            cursor.execute("SELECT seq, hash FROM audit_head WHERE id = 1")
            head = cursor.fetchone()
        if head is not None and tuple(head) != (self.seq, self.hash):
            raise Broken(self.seq, "the head does not name the newest event: the tail was cut or the head was changed")


def verify_trail(heads: list[SignedHead] | None = None) -> Verdict:
    """Verify the trail against AUDIT_HEADS (or the given heads). Raises HeadsUnavailable."""
    return Verification(read_heads() if heads is None else heads).walk()
