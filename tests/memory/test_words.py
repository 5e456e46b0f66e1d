"""The portal's search for all words of a question finds and ranks what mem0's own keyword_search does."""

from collections.abc import Iterator

import pytest
from mem0.vector_stores.pgvector import PGVector

from memoryportal.memory import ScopedMemory
from memoryportal.memory.stores import current_store

from .conftest import superuser_dsn
from .planted import Superuser, payload, plant

TEXTS = (
    "Prefers long-distance trains to flights; long trains, long distance.",
    "Flies to Lisbon in spring and to LISBON in autumn",
    "100% cotton, 100 % wool and 50_50 blends",
    "A path like C:\\temp\\new or a_b%c",
    "Mail to alice@example.com about https://example.com/a/b?c=d, please",
    "Der Äpfel-Strudel wärmt; ÄPFEL und Straße, İstanbul",
    "ΟΔΥΣΣΕΥΣ und Οδυσσευς lesen",
    "Owes -12.5 euros, or 3e10, or 12-13-14",
    "Can't won't don't; rock'n'roll <b>bold</b> &amp; ok",
    "lisbon",
    "京都では小さな旅館に泊まりたい。",
)
QUERIES = (
    *(
        "lisbon",
        "LISBON spring",
        "spring autumn",
        "long-distance",
        "long distance trains",
        "100%",
        "50_50",
        "a_b%c",
        "%",
        "_",
    ),
    *(
        "C:\\temp\\new",
        "\\",
        "alice@example.com",
        "https://example.com/a/b?c=d",
        "example.com",
        "äpfel",
        "Äpfel-Strudel",
    ),
    *(
        "straße",
        "İstanbul",
        "istanbul",
        "οδυσσευς",
        "ΟΔΥΣΣΕΥΣ",
        "-12.5",
        "12.5",
        "12-13-14",
        "can't",
        "rock'n'roll",
        "<b>bold</b>",
    ),
    *("&amp; ok", "ok", "京都では小さな旅館に泊まりたい", "lis", "", "...", "lisbon lisbon", "nothing of this"),
)


@pytest.fixture(scope="module")
def mem0s() -> Iterator[PGVector]:
    """mem0's own store, bound by no policy."""
    store = PGVector("", "memories", 256, "", "", "", "", False, False, connection_string=superuser_dsn())
    yield store
    store.connection_pool.close()


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_rows_and_ranks_as_mem0(
    superuser: Superuser, mem0s: PGVector, alice: ScopedMemory, bob: ScopedMemory, query: str
) -> None:
    plant(superuser, [payload(owner.subject, text) for owner in (alice, bob) for text in TEXTS])
    expected = mem0s.keyword_search(query, 100, {"user_id": str(alice.subject)})
    found = current_store().pipeline(alice.scope).vector_store.keyword_search(query, 100, alice.scope.mem0_ids())  # type: ignore[attr-defined]
    assert {(row.id, row.score) for row in found} == {(row.id, row.score) for row in expected}
    assert [row.score for row in found] == sorted((row.score for row in found), reverse=True)


def test_most_of_these_queries_find_something(superuser: Superuser, mem0s: PGVector, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, text) for text in TEXTS])
    finding = [query for query in QUERIES if mem0s.keyword_search(query, 100, {"user_id": str(alice.subject)})]
    assert len(finding) > 20
