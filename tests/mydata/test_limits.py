"""How often one person may search and take everything away: generous, counted in rows, and said in words."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.mydata import limits
from memoryportal.mydata.models import Spent
from tests.accounts.helpers import prove

from . import reading
from .reading import REGION
from .remembered import remember

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 16, 20, 15, tzinfo=UTC)
WORD = {"q": "quillwort", "by": "word"}


@pytest.fixture
def two_a_minute(settings: Any, alice_memory: Any, bob_memory: Any) -> None:
    settings.SEARCHES_PER_MINUTE = settings.EXPORTS_PER_HOUR = 2
    remember(alice_memory, "Grows quillwort.")
    remember(bob_memory, "Sells quillwort.")


def search(client: Client, **more: Any) -> Any:
    return client.post("/memories/search/", WORD, **more)


def at(seconds: int) -> Any:
    return time_machine.travel(NOW + timedelta(seconds=seconds), tick=False)


def test_one_search_too_many_is_refused_in_words(two_a_minute: None, alice_client: Client, bob_client: Client) -> None:
    with at(0):
        assert [search(alice_client).status_code for _ in range(2)] == [200, 200]
        refused = search(alice_client)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "45")
        assert "as often as one person can within a minute" in reading.words(refused)
        assert "Try again in 45 seconds." in reading.words(refused)
        assert "Grows" not in refused.content.decode()
        assert reading.texts(search(bob_client)) == ["Sells quillwort."], "what somebody else did does not count"
        assert alice_client.get("/memories/").status_code == 200, "the list is there all the same"
    with at(45):
        assert reading.texts(search(alice_client)) == ["Grows quillwort."]


def test_htmx_gets_the_sentences_and_keeps_what_it_shows(two_a_minute: None, alice_client: Client) -> None:
    """429 is not swapped (templates/base.html); js/app.js shows what is marked as the error's text."""
    with at(0):
        for _ in range(2):
            search(alice_client, headers=REGION)
        refused = search(alice_client, headers=REGION)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "45")
    body = refused.content.decode()
    assert "data-error-text" in body
    assert "<html" not in body
    assert 'id="memories"' not in body


def test_what_is_not_searched_does_not_count(two_a_minute: None, alice_client: Client) -> None:
    with at(0):
        for words in ("", "   ", "x" * 501):
            for headers in ({}, REGION):
                alice_client.post("/memories/search/", {"q": words, "by": "word"}, headers=headers)
        assert not Spent.objects.exists()
        assert search(alice_client).status_code == 200


def test_one_file_too_many_is_not_made(two_a_minute: None, alice_client: Client) -> None:
    with at(0):
        prove(alice_client)
        for form in ("json", "csv"):
            assert alice_client.post(f"/export/{form}/").status_code == 200
        before = Event.objects.count()
        refused = alice_client.post("/export/html/")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(40 * 60 - 15))
        assert "try again in 40 minutes" in reading.words(refused)
        assert "quillwort" not in refused.content.decode()
        assert Event.objects.count() == before, "no event says that it was taken"
        assert search(alice_client).status_code == 200, "searches are counted by themselves"
    with at(40 * 60):
        prove(alice_client)
        assert alice_client.post("/export/html/").status_code == 200


def test_whoever_has_not_proven_that_it_is_them_uses_nothing_up(two_a_minute: None, alice_client: Client) -> None:
    for _ in range(4):
        assert alice_client.post("/export/json/").status_code == 302
    assert not Spent.objects.exists()


def test_a_row_for_each_limit_is_all_that_is_kept(two_a_minute: None, alice: User, alice_client: Client) -> None:
    for minute in range(3):
        with at(60 * minute):
            search(alice_client)
    row = Spent.objects.values().get()
    assert (row["account_id"], row["what"], row["times"]) == (alice.pk, "search", 1)
    User.objects.filter(pk=alice.pk).delete()
    assert not Spent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_counted_one_by_one(alice: User, settings: Any) -> None:
    settings.SEARCHES_PER_MINUTE, refusals = 3, []
    together = threading.Barrier(8)

    def take() -> None:
        together.wait()
        try:
            refusals.append(limits._wait(alice.pk, "search", limits.HOUR * 1000, settings.SEARCHES_PER_MINUTE) > 0)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refusals) == [False] * 3 + [True] * 5
