"""Recompute the whole trail and hold every signed head against it. Names the first thing that is wrong."""

import hashlib
import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from .actions import Action
from .heads import START, SignedHead, broken_link, digest, read_heads
from .record import Actor, record

_COLUMNS = (
    "e.seq, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor, e.role, e.action, e.subject, e.object, e.reason, "
    "e.grant_id, e.request_id, e.details::text, e.prev_hash, e.hash"
)
# The head comes from the same snapshot: read afterwards it would already name an event that was not walked over.
_TRAIL = f"""
    SELECT {_COLUMNS}, h.seq, h.hash FROM audit_event e LEFT JOIN audit_head h ON h.id = 1 ORDER BY e.seq
"""
_ACTION, _DETAILS = 4, 10
BATCH = 5000
INTACT, BROKEN = "intact", "broken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problem` is None when the trail is intact; else a sentence, with the number of the first bad event in `seq`.

    `last_head` is the digest of the last line of the signed heads.
    """

    events: int
    heads: int
    last_head: str
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


def _rows() -> Generator[tuple[tuple[Any, ...], tuple[Any, Any]]]:
    """Each event, up to and with its hash, and the head as it stands in the same snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DECLARE trail NO SCROLL CURSOR FOR {_TRAIL}")
        while True:
            cursor.execute(f"FETCH {BATCH} FROM trail")
            rows = cursor.fetchall()
            yield from ((row[:-2], row[-2:]) for row in rows)
            if len(rows) < BATCH:
                cursor.execute("CLOSE trail")
                return


def _head() -> tuple[int, str] | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, hash FROM audit_head WHERE id = 1")
        head: tuple[int, str] | None = cursor.fetchone()
    return head


class Verification:
    """One walk along the trail."""

    def __init__(self, heads: list[SignedHead]) -> None:
        self.heads = heads
        self.signed: dict[int, list[SignedHead]] = {}
        for head in heads:
            self.signed.setdefault(head.seq, []).append(head)
        self.seq, self.hash = 0, START
        self.events = 0
        self.compared: dict[str, int] = {}  # the last signed head that an earlier verification saw -> its event

    def _begin(self, first: int | None) -> None:
        """Start behind the months that were dropped. A prune that signed its head and then failed dropped nothing."""
        for head in self.heads:
            if head.kind == "prune" and (first is None or head.seq < first):
                self.seq, self.hash = head.seq, head.hash

    def walk(self) -> Verdict:
        try:
            if number := broken_link(self.heads):
                raise Broken(None, f"line {number} of the signed heads was replaced, removed or not signed by us")
            self._follow()
        except Broken as broken:
            return self._verdict(broken.problem, broken.seq)
        return self._verdict()

    def _verdict(self, problem: str | None = None, seq: int | None = None) -> Verdict:
        last = digest(self.heads[-1] if self.heads else None)
        return Verdict(self.events, len(self.heads), last, problem, seq)

    def _follow(self) -> None:
        head: tuple[Any, Any] | None = None
        with closing(_rows()) as rows:
            for row, current in rows:
                if not self.events:
                    self._begin(int(row[0]))
                self._step(row)
                head = current
        if not self.events:
            self._begin(None)
            head = _head()
        self._end(head or (None, None))

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
        if row[_ACTION] == Action.TRAIL_VERIFIED:
            self._note_compared(seq, json.loads(row[_DETAILS]))
        self.seq, self.hash = seq, stored
        self.events += 1

    def _note_compared(self, seq: int, details: Any) -> None:
        if isinstance(details, dict) and details.get("state") == INTACT and details.get("heads"):
            self.compared[str(details.get("hash"))] = seq

    def _compare(self, seq: int, stored: str) -> None:
        for head in self.signed.get(seq, []):
            if head.hash != stored:
                raise Broken(seq, f"event {seq} is not the one that was signed: the trail was rewritten up to there")

    def _end(self, head: tuple[Any, Any]) -> None:
        latest = max(self.signed, default=0)
        if latest > self.seq:
            raise Broken(
                self.seq + 1,
                f"the trail ends at event {self.seq}, but event {latest} was signed: its tail was cut, "
                "or the database was restored from a backup",
            )
        if head != ((self.seq, self.hash) if self.seq else (None, None)):
            raise Broken(self.seq, "the head does not name the newest event: the tail was cut or the head was changed")
        if missing := self.compared.keys() - {digest(head) for head in self.heads}:
            first = min(self.compared[name] for name in missing)
            raise Broken(None, f"signed heads that event {first} compared are missing: lines were taken out at the end")


def verify_trail(heads: list[SignedHead] | None = None) -> Verdict:
    """Verify the trail against AUDIT_HEADS (or the given heads). Raises HeadsUnavailable."""
    return Verification(read_heads() if heads is None else heads).walk()


def note_verdict(actor: Actor, verdict: Verdict) -> int:
    """Leave an event that says how a verification ended. Raises AuditUnavailable.

    It names the last signed head that was compared, so that the next verification misses it when it is gone.
    """
    details = {"count": verdict.events, "first": verdict.seq, "heads": verdict.heads, "hash": verdict.last_head}
    return record(
        Action.TRAIL_VERIFIED, actor=actor, details={**details, "state": BROKEN if verdict.problem else INTACT}
    )
