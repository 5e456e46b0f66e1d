"""What the portal's store costs beside a plain mem0 that does the same, among 10,000 and among 100,000 memories."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from memoryportal.memory import Filters, ScopedMemory, SubjectId
from memoryportal.memory.configuration import DEFAULT_COLLECTION, configuration
from memoryportal.memory.embedding import OfflineEmbedder
from tests.memory.explained import Explained

from .conftest import LARGE, SMALL, Server, portal_on
from .crowd import OWN, PERSON, Row, load, nearest, of_person
from .houses import House, fill_portals, house
from .plain import mem0_at
from .report import Report
from .sentences import QUESTIONS
from .timing import Times, in_turn

FILTERS = {"user_id": PERSON}
PAGE, ALL, TOP = 25, 10_000, 10
REPETITIONS, ERASURES = 30, 3
_inside: dict[int, float] = {}  # size of the store -> median of the list's statement in milliseconds
ROUNDS = 3  # of questions: from the eleventh search on, mem0's connection runs a generic plan


@dataclass(frozen=True)
class Pair:
    """The same memories twice: the portal's store and a plain mem0's."""

    size: int
    own: list[Row] = field(repr=False)
    portal_house: House
    plain_house: House
    portal: ScopedMemory
    plain: Any

    @property
    def part(self) -> str:
        return f"{self.size:,} memories in the store, {OWN:,} of them the person's"

    def everything(self) -> list[dict[str, Any]]:
        """All that plain mem0 has of the person."""
        found: list[dict[str, Any]] = self.plain.get_all(filters=FILTERS, top_k=ALL, show_expired=True)["results"]
        return found


@pytest.fixture(scope="module", params=[SMALL, LARGE], ids=["10k", "100k"])
def pair(
    request: pytest.FixtureRequest,
    server: Server,
    rows: Callable[[int], list[Row]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    size = request.param
    with ExitStack() as stack:
        plain_house = request.getfixturevalue("large_plain" if size == LARGE else "small_plain")
        portal_house = stack.enter_context(house(server))
        stack.enter_context(portal_on(portal_house))
        fill_portals(portal_house, rows(size))
        folder = tmp_path_factory.mktemp("mem0")
        plain = stack.enter_context(mem0_at(plain_house.owner, folder, OfflineEmbedder()))
        yield Pair(
            size, of_person(rows(size)), portal_house, plain_house, ScopedMemory.for_person(SubjectId(PERSON)), plain
        )


def _newest(pair: Pair) -> list[str]:
    """The ids of the person's memories as the list shows them."""
    return [str(row.id) for row in sorted(pair.own, key=lambda row: (row.payload["created_at"], row.id), reverse=True)]


def _plain_page(pair: Pair, start: int) -> tuple[list[str], int]:
    """A page with a total, as one has to make it from get_all, which neither sorts nor counts nor pages."""
    found = sorted(pair.everything(), key=lambda entry: (entry["created_at"], entry["id"]), reverse=True)
    return [entry["id"] for entry in found[start : start + PAGE]], len(found)


def _ids(items: Any) -> list[str]:
    return [item.id for item in items]


def test_list(pair: Pair, report: Report) -> None:
    expected = _newest(pair)
    page = pair.portal.page()
    assert (_ids(page.items), page.total) == (expected[:PAGE], OWN)
    assert _plain_page(pair, 0) == (expected[:PAGE], OWN)
    ours, theirs = in_turn(pair.portal.page, lambda: _plain_page(pair, 0), REPETITIONS)
    report.times(pair.part, "list, first page", ours, theirs)
    ours, theirs = in_turn(pair.portal.page, lambda: pair.plain.get_all(filters=FILTERS, top_k=PAGE), REPETITIONS)
    report.times(pair.part, "the same beside get_all(top_k=25): any 25, no total", ours, theirs)


def test_list_inside_the_store(pair: Pair, report: Report) -> None:
    """The statement alone, by PostgreSQL's own clock: without connection, transaction and Python."""
    store, taken = Explained(configuration().dsn, configuration().collection), Times()
    for _ in range(REPETITIONS):
        found, _, total = store.page(pair.portal.scope, Filters(), None, PAGE, "newest")
        assert (len(found), total) == (PAGE, OWN)
        taken.values.append(store.milliseconds)
    report.times(pair.part, "list, first page, the statement alone", taken)
    _inside[pair.size] = taken.p50
    if _inside.keys() >= {SMALL, LARGE}:
        ratio = _inside[LARGE] / _inside[SMALL]
        words = f"{ratio:.1f} times as long as among {SMALL:,}"
        report.note(pair.part, "the same, against a smaller store", words, numbers={"ratio": ratio})


def test_page_far_down(pair: Pair, report: Report) -> None:
    expected, start = _newest(pair), OWN * 9 // 10
    halfway = pair.portal.page(limit=start // 2)
    after = pair.portal.page(after=halfway.next, limit=start - start // 2).next
    page = pair.portal.page(after=after)
    assert (_ids(page.items), page.total) == (expected[start : start + PAGE], OWN)
    times = in_turn(lambda: pair.portal.page(after=after), lambda: _plain_page(pair, start), REPETITIONS)
    report.times(pair.part, "list, nine tenths down", *times)


def test_summary(pair: Pair, report: Report) -> None:
    def plain() -> Counter[str | None]:
        return Counter(entry.get("agent_id") for entry in pair.everything())

    expected = Counter(row.payload.get("agent_id") for row in pair.own)
    assert dict(pair.portal.summary().agents) == plain() == expected
    report.times(pair.part, "summary", *in_turn(pair.portal.summary, plain, REPETITIONS))


Answer = Callable[[str], list[str]]


def _answer_of_portal(memory: ScopedMemory, question: str) -> list[str]:
    return _ids(hit.item for hit in memory.search(question, limit=TOP).hits)


def _answer_of_plain(memory: Any, question: str) -> list[str]:
    found = memory.search(question, filters=FILTERS, top_k=TOP, threshold=0.0, show_expired=True)
    return [entry["id"] for entry in found["results"]]


def _asking(answer: Answer) -> Callable[[], list[str]]:
    questions = itertools.cycle(QUESTIONS)
    return lambda: answer(next(questions))


def _recalls(own: list[Row], answer: Answer) -> list[float]:
    """The share of the truly nearest memories in each answer, in the order in which it was asked."""
    embed = OfflineEmbedder().embed
    truth = {question: {*nearest(own, embed(question), TOP)} for question in QUESTIONS}
    return [len({*answer(question)} & truth[question]) / TOP for question in QUESTIONS * ROUNDS]


def test_search_by_meaning(pair: Pair, report: Report, settings: Any) -> None:
    settings.SEARCH_FLOOR = -1.0  # what to leave out is another question: test_relevance.py
    portal, plain = partial(_answer_of_portal, pair.portal), partial(_answer_of_plain, pair.plain)
    ours, theirs = mean(_recalls(pair.own, portal)), _recalls(pair.own, plain)
    first, later = mean(theirs[:TOP]), mean(theirs[TOP:])
    assert ours == 1.0
    report.note(pair.part, f"recall@{TOP} of one's own, 10 searches on a connection", f"{ours:.2f}", f"{first:.2f}")
    numbers = {"portal": ours, "plain_first_ten": first, "plain_later": later}
    report.note(pair.part, f"recall@{TOP} from the 11th search on", f"{ours:.2f}", f"{later:.2f}", "", numbers)
    returned = median(len(plain(question)) for question in QUESTIONS)
    report.note(pair.part, f"results of a search for {TOP}, median", TOP, f"{returned:.0f}")
    report.times(pair.part, "search by meaning", *in_turn(_asking(portal), _asking(plain), REPETITIONS))


def test_search_by_meaning_without_the_approximate_index(
    pair: Pair, report: Report, settings: Any, tmp_path: Path
) -> None:
    """Plain mem0 configured with `hnsw: false` finds everything, by looking at everybody's memories."""
    settings.SEARCH_FLOOR = -1.0
    address = make_conninfo(pair.plain_house.owner, options="-c enable_indexscan=off")
    with mem0_at(address, tmp_path, OfflineEmbedder()) as exact:
        portal, plain = partial(_answer_of_portal, pair.portal), partial(_answer_of_plain, exact)
        recall = mean(_recalls(pair.own, plain))
        assert recall == 1.0
        times = in_turn(_asking(portal), _asking(plain), REPETITIONS)
    report.times(pair.part, f"search beside mem0 without HNSW (recall {recall:.2f})", *times)


def test_search_by_word(pair: Pair, report: Report) -> None:
    word = "Lisbon"
    keyword_search = pair.plain.vector_store.keyword_search
    holders = {str(row.id) for row in pair.own if word in row.payload["data"]}
    assert {*_ids(hit.item for hit in pair.portal.search(word, by="word", limit=500).hits)} == holders
    assert {row.id for row in keyword_search(word, top_k=ALL, filters=FILTERS)} == holders
    times = in_turn(
        lambda: pair.portal.search(word, by="word"),
        lambda: keyword_search(word, top_k=PAGE, filters=FILTERS),
        REPETITIONS,
    )
    report.times(pair.part, "search by word (mem0: its store's keyword_search)", *times)


def test_erase(pair: Pair, report: Report) -> None:
    """The portal erases history, names and messages too, which mem0 leaves behind. Last: it writes the rows anew."""
    ours, theirs = Times(), Times()
    for _ in range(ERASURES):
        _fill_sides(pair)
        removed = ours.take(pair.portal.erase)
        assert removed.counts == {
            "memories": OWN,
            "entities": 100,
            "history": OWN,
            "messages": 10,
            "uses": 0,
            "never": 0,
        }
        theirs.take(lambda: pair.plain.delete_all(user_id=PERSON))
        assert {place.count for place in pair.portal.residue()} == {0}
        assert pair.everything() == []
        for made in (pair.portal_house, pair.plain_house):
            with made.connect() as connection:
                load(connection, DEFAULT_COLLECTION, pair.own)
    report.times(pair.part, f"erase {OWN:,} (delete_all)", ours, theirs)


def _fill_sides(pair: Pair) -> None:
    """A history of each memory, a hundred names and a full message buffer."""
    with pair.portal_house.connect() as connection:
        connection.execute(
            "INSERT INTO memories_history (subject, memory_id, new_memory, event) "
            "SELECT payload->>'user_id', id, payload->>'data', 'ADD' FROM memories WHERE payload->>'user_id' = %s",
            (PERSON,),
        )
        connection.execute(
            "INSERT INTO memories_entities (id, vector, payload) SELECT gen_random_uuid(), vector, jsonb_build_object("
            "'user_id', %s::text, 'data', 'name', 'linked_memory_ids', jsonb_build_array(id)) "
            "FROM memories WHERE payload->>'user_id' = %s LIMIT 100",
            (PERSON, PERSON),
        )
        connection.execute(
            "INSERT INTO memories_messages (subject, role, content) SELECT %s, 'user', 'x' FROM generate_series(1, 10)",
            (PERSON,),
        )
