"""While no event can be written nothing is shown and nothing is done, on every page, and afterwards all works again."""

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support import tasks
from memoryportal.support.models import AccessGrant

from .staffing import (
    WHY,
    broken_trail,
    find,
    fragment,
    full_for,
    newest,
    no_text_of,
    open_access,
    page_of,
    said,
    signed_in,
    state,
)

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "She says that it was never true"


def acts(grant: AccessGrant, item: Item) -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("get", "", {}),
        ("post", "reveal/", {"id": item.id}),
        ("post", "search/", {"q": "quillwort", "by": "word"}),
        ("get", f"memories/{item.id}/delete/", {}),
        ("post", f"memories/{item.id}/delete/", {"reason": REASON}),
        ("post", "request/", {"reason": REASON}),
        ("post", "end/", {}),
    ]


@pytest.mark.parametrize("target", ["", "memories"])
def test_nothing_is_shown_and_nothing_is_done(
    target: str, grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    headers = fragment(target) if target else {}
    before, (memories, _, erasures) = newest(), state(alice_memory)
    for verb, rest, data in acts(grant, items[0]):
        with broken_trail():
            answer = getattr(support_client, verb)(page_of(grant, rest), data, headers=headers)
        assert answer.status_code == 503, rest
        assert "So nothing was done." in said(answer), rest
        assert no_text_of(items, answer), rest
        assert answer.headers["Retry-After"]
    after = state(alice_memory)
    assert (after[0], after[2]) == (memories, erasures)
    assert newest() == before
    grant.refresh_from_db()
    assert grant.ended_at is None
    assert grant.revealed == 0
    assert support_client.get(page_of(grant)).status_code == 200


def test_nobody_is_found_and_no_access_is_opened(items: list[Item], alice: User, support_client: Client) -> None:
    with broken_trail():
        for words in ("alice@example.com", "nobody"):
            assert find(support_client, words).status_code == 503
    assert "You found" not in said(support_client.get("/support/grants/"))
    find(support_client, "alice@example.com")
    with broken_trail():
        assert support_client.post("/support/grants/", WHY).status_code == 503
    assert not AccessGrant.objects.exists()
    assert open_access(support_client).is_open


def test_a_search_whose_result_cannot_be_recorded_shows_nothing(
    grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    """Between the two events of a search the trail breaks: the hits stay inside."""
    with full_for("memory.searched"):
        answer = support_client.post(page_of(grant, "search/"), {"q": "greenhouse", "by": "word"})
    assert answer.status_code == 503
    assert "quillwort" not in answer.content.decode()
    grant.refresh_from_db()
    assert (grant.searches, grant.revealed) == (1, 0)


def test_a_role_is_taken_away_all_the_same(grant: AccessGrant, support: User, items: list[Item]) -> None:
    client = signed_in(support)
    with broken_trail():
        support.groups.clear()
    answer = client.get(page_of(grant))
    assert answer.status_code == 404
    assert no_text_of(items, answer)
    tasks.end_grants(0)
    grant.refresh_from_db()
    assert grant.ended_how == "role"


def test_a_deletion_that_is_done_is_not_denied(
    grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    """The first event stands; without the second the page must not say that nothing was done."""
    with full_for("memory.deleted"):
        answer = support_client.post(page_of(grant, f"memories/{items[0].id}/delete/"), {"reason": REASON})
    assert answer.status_code == 302
    assert len(list(alice_memory.walk())) == 2
