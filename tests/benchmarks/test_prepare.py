"""prepare_store on what a plain mem0 made and goes on using: what searches gain, and what the writer notices."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.embedding import OfflineEmbedder
from memoryportal.memory.prepare import prepare_store

from .conftest import LARGE, SMALL, Server, portal_on
from .crowd import PERSON, Row, nearest, of_person, with_old_times
from .houses import House, fill_plain, house
from .plain import mem0_at
from .report import Report
from .sentences import QUESTIONS
from .timing import in_turn
from .writers import writers

PART = f"prepare_store on {LARGE:,} memories that a plain mem0 made"
TOP, WARM, OLD_EVERY = 10, 12, 5
WRITER = "somebody-who-goes-on-talking"


def _recall(own: list[Row], search: Callable[[str], list[str]]) -> float:
    embed = OfflineEmbedder().embed
    found = [len({*search(question)} & {*nearest(own, embed(question), TOP)}) for question in QUESTIONS]
    return sum(found) / (TOP * len(found))


@dataclass(frozen=True, slots=True)
class Done:
    """A preparation beside a writer; `writes` are those that fell into it, `slowest` is one of them in milliseconds."""

    said: list[str]
    seconds: float
    writes: int
    slowest: float

    @property
    def words(self) -> str:
        return f"{self.writes} ({self.writes / self.seconds:.0f} a second), errors 0, slowest {self.slowest:.0f} ms"


def _prepare_under_a_writer(made: House) -> Done:
    """Prepare while a plain mem0 writes: none of its writes may fail, and none may be lost."""
    with writers(1, made.owner, WRITER) as writing:
        at_first, began = writing.so_far(), time.perf_counter()
        said = prepare_store()
        seconds, writes = time.perf_counter() - began, writing.so_far() - at_first
        time.sleep(0.5)  # and afterwards
    (written,) = writing.written
    assert written.errors == []
    assert ScopedMemory(SubjectId(WRITER)).count() == written.writes > at_first + writes
    return Done(said, seconds, writes, written.slowest)


def test_prepare_store(
    server: Server,
    large_plain: House,
    rows: Callable[[int], list[Row]],
    report: Report,
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.SEARCH_FLOOR = -1.0
    own, portal = of_person(rows(LARGE)), ScopedMemory.for_person(SubjectId(PERSON))
    with house(server, large_plain) as made, portal_on(made), mem0_at(made.owner, tmp_path, OfflineEmbedder()) as mem0:

        def plain_search(question: str) -> list[str]:
            found = mem0.search(question, filters={"user_id": PERSON}, top_k=TOP, threshold=0.0, show_expired=True)
            return [entry["id"] for entry in found["results"]]

        def portal_search(question: str) -> list[str]:
            return [hit.item.id for hit in portal.search(question, limit=TOP).hits]

        for _ in range(WARM):  # from the eleventh search on, mem0's connection runs a generic plan
            plain_search(QUESTIONS[0])
        before = _recall(own, plain_search)
        done = _prepare_under_a_writer(made)
        after = _recall(own, portal_search)
        assert after == 1.0
        began = time.perf_counter()
        assert prepare_store() == []
        again = time.perf_counter() - began
        numbers = {"before": before, "after": after, "again": again, **asdict(done)}
        report.note(PART, f"recall@{TOP} of one's own, before and after", f"{after:.2f}", f"{before:.2f}", "", numbers)
        report.note(PART, "duration, and of a second run", f"{done.seconds:.1f} s, {again:.2f} s")
        report.note(PART, "writes of a plain mem0 meanwhile", done.words)
        ours, theirs = in_turn(lambda: portal_search(QUESTIONS[1]), lambda: plain_search(QUESTIONS[1]), 20)
        report.times(PART, "search by meaning, both on this table", ours, theirs)
        ours, theirs = in_turn(portal.page, lambda: mem0.get_all(filters={"user_id": PERSON}, top_k=10_000), 20)
        report.times(PART, "first page, beside get_all, both on this table", ours, theirs)


def test_prepare_store_with_old_times(server: Server, rows: Callable[[int], list[Row]], report: Report) -> None:
    """Each row that is put right is entered into mem0's approximate index anew: what a preparation mostly waits for."""
    aged = with_old_times(rows(SMALL), OLD_EVERY)
    with house(server) as made, portal_on(made):
        fill_plain(made, aged)
        done = _prepare_under_a_writer(made)
        assert f"turned created_at of {SMALL // OLD_EVERY} memories into UTC" in done.said
    what = f"{SMALL // OLD_EVERY:,} of {SMALL:,} rows with times of an old mem0"
    report.note(PART, what, f"{done.seconds:.1f} s, {done.writes} writes meanwhile", numbers=asdict(done))
