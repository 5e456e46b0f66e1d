"""How PostgreSQL goes about a page: it starts at the person's newest row and stops at the page's end."""

from collections.abc import Iterator
from typing import Any

from memoryportal.memory import Filters, ScopedMemory
from memoryportal.memory.configuration import configuration

from .explained import Explained
from .planted import Superuser, payload, plant

OWN, OTHERS, PAGE = 300, 1200, 25


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def test_a_page_reads_no_further_than_its_end(superuser: Superuser, alice: ScopedMemory) -> None:
    """Memories that belong to no person must not be read either, however many there are."""
    plant(superuser, [payload(alice.subject, f"tea {number}") for number in range(OWN)])
    plant(superuser, [payload(f"somebody{number % 12}", "coffee") for number in range(OTHERS)])
    plant(superuser, [payload(None, "of an assistant", agent_id="cook") for _ in range(OTHERS)])
    superuser.execute("VACUUM ANALYZE memories")
    store = Explained(configuration().dsn, configuration().collection)
    rows, more, total = store.page(alice.scope, Filters(), None, PAGE, "newest")
    assert (len(rows), more, total) == (PAGE, True, OWN)
    limit = next(node for node in _nodes(store.plan) if node["Node Type"] == "Limit")
    (scan,) = limit["Plans"]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "memories_owner_idx")
    assert scan["Actual Rows"] == PAGE + 1
    read = [node["Actual Rows"] for node in _nodes(store.plan) if node.get("Relation Name") == "memories"]
    assert max(read) == OWN  # what it takes to count them
