"""Somebody who exists only in the store is found by their exact id; that they are there is all that is learned."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import pseudonym
from memoryportal.base.databases import embedded_dsn
from memoryportal.memory import AgentKnowledge, ScopedMemory, SubjectId
from memoryportal.support.models import AccessGrant, Quota
from tests.memory.planted import plant_history, plant_message
from tests.mydata.remembered import remember

from .requests import a_request, story
from .staffing import actions, broken_trail, find, last_event, linked, newest, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db
TEXT = "Grows quillwort behind the greenhouse."
NOWHERE = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"


@pytest.fixture
def stranger() -> Iterator[ScopedMemory]:
    """An assistant of the shop remembers something; nobody has an account for it."""
    memory = ScopedMemory.for_person(SubjectId(f"Customer-{uuid4().hex[:8]}"))
    remember(memory, TEXT, "Is allergic to walnuts.", agent="shop_bot")
    yield memory
    memory.erase()


@pytest.fixture
def superuser(db: None) -> Iterator[psycopg.Connection[Any]]:
    name = str(connection.settings_dict["NAME"])
    with psycopg.connect(embedded_dsn(Path(django_settings.DATA_DIR), "postgres", name), autocommit=True) as found:
        yield found


def test_an_exact_id_is_found(stranger: ScopedMemory, support: User, support_client: Client) -> None:
    before = newest()
    answer = find(support_client, f"  {stranger.subject} ")
    assert answer.headers["Location"] == "/support/grants/"
    assert actions(before) == ["person.found"]
    event = last_event("person.found")
    assert (event.actor, event.subject, event.details) == (str(support.pk), pseudonym(stranger.subject), {})
    assert "You found somebody without an account here" in said(support_client.get("/support/grants/"))
    assert Quota.objects.get().finds == 1


@pytest.mark.parametrize(
    "change", [str.lower, lambda name: name[:-1], lambda name: f"{name}0", lambda name: "Customer-"]
)
def test_nothing_similar_is(change: Any, stranger: ScopedMemory, support_client: Client) -> None:
    before = newest()
    assert "Nobody was found." in said(find(support_client, change(str(stranger.subject))))
    assert actions(before) == ["person.missed"]
    assert Quota.objects.get().misses == 1
    assert "You found" not in said(support_client.get("/support/grants/"))


def test_nothing_else_is_learned_before_a_grant(stranger: ScopedMemory, support_client: Client) -> None:
    answer = find(support_client, str(stranger.subject))
    pages = [answer, support_client.get("/support/grants/"), support_client.get("/support/people/")]
    for page in pages:
        body = page.content.decode()
        for hidden in ("quillwort", "walnuts", "shop_bot", str(stranger.subject)):
            assert hidden not in body
        assert "data-memory" not in body
    assert not Event.objects.filter(action__startswith="memory.").exists()


def _said(client: Client) -> str:
    return said(client.get("/support/grants/"))


def test_how_much_is_stored_makes_no_difference(
    stranger: ScopedMemory, superuser: psycopg.Connection[Any], support_client: Client
) -> None:
    other = SubjectId(f"Customer-{uuid4().hex[:8]}")
    plant_message(superuser, other, "said")
    shown = []
    for subject in (stranger.subject, other):
        answer = find(support_client, str(subject))
        shown.append((answer.status_code, answer.headers["Location"], answer.content, _said(support_client)))
    assert shown[0] == shown[1]
    ScopedMemory.for_person(other).erase()


@pytest.mark.parametrize("place", ["history", "messages"])
def test_any_place_counts(place: str, superuser: psycopg.Connection[Any], support_client: Client) -> None:
    subject = SubjectId(f"Customer-{uuid4().hex[:8]}")
    if place == "history":
        plant_history(superuser, subject, str(uuid4()), "I like tea", None)
    else:
        plant_message(superuser, subject, "said")
    assert find(support_client, str(subject)).status_code == 302
    ScopedMemory.for_person(subject).erase()
    assert find(support_client, str(subject)).status_code == 200


def test_what_an_assistant_knows_by_itself_is_nobody(support_client: Client) -> None:
    name = f"planner_{uuid4().hex[:8]}"
    knowledge = AgentKnowledge(name)
    added = knowledge.add("The shop opens at nine.", infer=False)
    try:
        assert "Nobody was found." in said(find(support_client, name))
    finally:
        for item in added:
            knowledge.delete(item.id)


def test_access_shows_the_list_and_a_request_can_be_handed_over(stranger: ScopedMemory, support_client: Client) -> None:
    grant = open_access(support_client, str(stranger.subject))
    assert (grant.person, grant.subject) == (None, str(stranger.subject))
    page = support_client.get(page_of(grant)).content.decode()
    assert page.count("data-memory-id=") == 2
    assert "quillwort" not in page
    assert last_event("memory.listed").grant == str(grant.pk)
    support_client.post(page_of(grant, "request/"), {"reason": "They asked for it on the telephone"})
    assert "privacy" in said(support_client.get(page_of(grant, "request/")))


def test_an_id_of_an_account_leads_to_its_account(stranger: ScopedMemory, bob: User, support_client: Client) -> None:
    linked(bob, str(stranger.subject))
    assert open_access(support_client, str(stranger.subject)).person == bob


def test_nobody_opens_their_own_under_an_id_of_the_store(stranger: ScopedMemory, support: User) -> None:
    linked(support, str(stranger.subject))
    client = signed_in(support)
    find(client, str(stranger.subject))
    client.post(
        "/support/grants/", {"category": "question", "ticket": "T-1", "reason": "I want to look", "minutes": 15}
    )
    assert not AccessGrant.objects.exists()


def test_a_store_that_is_away_is_no_miss(stranger: ScopedMemory, support_client: Client, settings: Any) -> None:
    before = newest()
    settings.MEMORY_DATABASE_URL = NOWHERE
    answer = find(support_client, str(stranger.subject))
    assert answer.status_code == 503
    assert "Nobody was found" not in said(answer)
    assert str(stranger.subject) not in answer.content.decode()
    assert actions(before) == []
    assert Quota.objects.get().finds == 1, "it counts all the same"


def test_an_address_is_found_while_the_store_is_away(alice: User, support_client: Client, settings: Any) -> None:
    settings.MEMORY_DATABASE_URL = NOWHERE
    assert find(support_client, "alice@example.com").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nobody_learns_it(support: User, superuser: psycopg.Connection[Any]) -> None:
    subject, client = SubjectId(f"Customer-{uuid4().hex[:8]}"), signed_in(support)
    plant_message(superuser, subject, "said")
    with broken_trail():
        answers = [find(client, words) for words in (str(subject), "nobody-at-all")]
    assert [answer.status_code for answer in answers] == [503, 503]
    first, second = (re.sub("[0-9a-f]{32}", "", said(answer)) for answer in answers)  # each has a reference
    assert first == second
    assert "You found" not in said(client.get("/support/grants/"))
    ScopedMemory.for_person(subject).erase()


def test_the_quota_is_the_same(stranger: ScopedMemory, support_client: Client, settings: Any) -> None:
    settings.FINDS_PER_HOUR = 1
    find(support_client, "nobody-at-all")
    assert find(support_client, str(stranger.subject)).status_code == 429


def test_privacy_chooses_such_an_id_themselves(stranger: ScopedMemory, privacy_client: Client) -> None:
    """It is offered like any id that no account has, and ticked by nobody else."""
    erasure = a_request("u-1")
    privacy_client.post(story(erasure, "attach/find/"), {"words": str(stranger.subject)})
    page = privacy_client.get(story(erasure, "attach/"))
    assert f"“{stranger.subject}”, an id that no account here has" in said(page)
    assert page.content.decode().count(" checked") == 1
