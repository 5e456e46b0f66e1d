"""Searching under a grant: few times, all that is found is shown and recorded, and the words are kept nowhere."""

import json
from typing import Any

import pytest
from django.test import Client

from memoryportal.audit.models import Event
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support import reading
from memoryportal.support.grants import NoSearchesLeft, count_search
from memoryportal.support.models import MAX_SEARCHES, AccessGrant
from tests.mydata.conftest import broken_embedder  # noqa: F401 - a fixture
from tests.mydata.remembered import remember

from .staffing import actions, fragment, last_event, newest, no_text_of, page_of, said

pytestmark = pytest.mark.django_db


def search(client: Client, grant: AccessGrant, words: str, by: str = "word", target: str = "") -> Any:
    headers = fragment(target) if target else {}
    return client.post(page_of(grant, "search/"), {"q": words, "by": by}, headers=headers)


@pytest.mark.parametrize("target", ["", "memories"])
def test_what_is_found_is_shown_and_recorded(
    target: str, grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    before = newest()
    answer = search(support_client, grant, "quillwort", target=target)
    assert answer.status_code == 200
    assert "1 result" in said(answer)
    assert items[0].text in said(answer)
    assert no_text_of(items[1:], answer)
    assert ("<html" in answer.content.decode()) == (not target)
    assert actions(before) == ["memory.search-asked", "memory.searched"]
    assert last_event("memory.searched").details == {"ids": [items[0].id], "hits": 1, "left": 19, "method": "word"}
    grant.refresh_from_db()
    assert (grant.searches, grant.revealed) == (1, 1)


def test_a_search_by_meaning_finds_other_wordings(
    grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    assert items[1].text in said(search(support_client, grant, "food allergies nuts", by="meaning"))
    assert items[1].id in last_event("memory.searched").details["ids"]


def test_the_words_are_in_no_event_no_log_and_no_address(
    grant: AccessGrant, support_client: Client, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    answer = search(support_client, grant, "quillwort")
    rows = json.dumps(list(Event.objects.values_list("object", "reason", "details")))
    assert "quillwort" not in rows
    assert "quillwort" not in caplog.text
    assert "Location" not in answer.headers


def test_finding_nothing_is_recorded_as_well(grant: AccessGrant, support_client: Client) -> None:
    assert "Nothing was found." in said(search(support_client, grant, "zebra"))
    assert last_event("memory.searched").details == {"ids": [], "hits": 0, "left": 19, "method": "word"}


def test_only_this_person_is_searched(grant: AccessGrant, support_client: Client) -> None:
    answer = search(support_client, grant, "bumblebees")
    assert "Nothing was found." in said(answer)


def test_more_than_a_page_of_results_says_so(
    grant: AccessGrant, support_client: Client, alice_memory: ScopedMemory
) -> None:
    remember(alice_memory, *[f"Canary number {n}" for n in range(30)])
    answer = search(support_client, grant, "canary")
    assert "The first 25 results; there are more" in said(answer)
    assert answer.content.decode().count("Canary number") == 25
    assert len(last_event("memory.searched").details["ids"]) == 25


def test_there_are_twenty_and_no_more(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    for number in range(MAX_SEARCHES):
        answer = search(support_client, grant, "zebra")
        assert f"{MAX_SEARCHES - 1 - number} search" in said(answer)
    before = newest()
    for target in ("", "memories"):
        answer = search(support_client, grant, "quillwort", target=target)
        assert answer.status_code == (200 if target else 429)
        assert "All 20 searches of this access are used up. Nothing was searched." in said(answer)
        assert "greenhouse" not in answer.content.decode()
        assert items[0].id not in answer.content.decode()
    assert actions(before) == []


def test_the_last_search_is_used_once(grant: AccessGrant) -> None:
    AccessGrant.objects.update(searches=MAX_SEARCHES - 1)
    assert count_search(grant) == 0
    with pytest.raises(NoSearchesLeft):
        count_search(AccessGrant.objects.get())
    assert AccessGrant.objects.get().searches == MAX_SEARCHES


@pytest.mark.parametrize("words", ["", "   ", "x" * 501, "a\0b"])
@pytest.mark.parametrize("target", ["", "memories"])
def test_words_that_cannot_be_searched_cost_nothing(
    words: str, target: str, grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    before = newest()
    answer = search(support_client, grant, words, target=target)
    assert answer.status_code == 422
    assert no_text_of(items, answer)
    assert actions(before) == []
    grant.refresh_from_db()
    assert grant.searches == 0


def test_without_the_embedder_nothing_is_shown_and_words_still_work(
    grant: AccessGrant,
    support_client: Client,
    items: list[Item],
    broken_embedder: None,  # noqa: F811
) -> None:
    answer = search(support_client, grant, "walnuts", by="meaning")
    assert answer.status_code == 503
    assert "Search by word works." in said(answer)
    assert no_text_of(items[:1], answer)
    assert items[1].text in said(search(support_client, grant, "walnuts"))


def test_a_get_searches_nothing(grant: AccessGrant, support_client: Client) -> None:
    before = newest()
    answer = support_client.get(page_of(grant, "search/?q=quillwort&by=word"))
    assert answer.headers["Location"] == page_of(grant)
    assert actions(before) == []


def test_an_ended_access_searches_nothing(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    support_client.post(page_of(grant, "end/"))
    before = newest()
    for words in ("quillwort", ""):
        assert search(support_client, grant, words).status_code == 410
        assert search(support_client, grant, words, target="memories").status_code == 409
    assert actions(before) == []
    grant.refresh_from_db()
    assert grant.searches == 0


def test_nothing_leaves_before_its_event(grant: AccessGrant, items: list[Item]) -> None:
    """The room's own function, without pages around it."""
    hits = reading.found(grant, "quillwort", "word")
    assert [hit.item.id for hit in hits.hits] == last_event("memory.searched").details["ids"]
