"""Deleting one memory for somebody: asks first, with a reason, and says in the trail how it ended."""

import uuid
from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import everything

from .staffing import actions, last_event, newest, no_text_of, page_of, said, signed_in, state

pytestmark = pytest.mark.django_db
REASON = "She says that it was never true"


def url(grant: AccessGrant, item: Item | str) -> str:
    return page_of(grant, f"memories/{item if isinstance(item, str) else item.id}/delete/")


def test_it_asks_first_and_shows_no_text(
    grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    before, stood = newest(), state(alice_memory)
    answer = support_client.get(url(grant, items[0]))
    assert answer.status_code == 200
    assert "It cannot be undone." in said(answer)
    assert no_text_of(items, answer)
    assert actions(before) == ["memory.listed"]
    assert last_event("memory.listed").object == items[0].id
    assert state(alice_memory) == stood


def test_it_deletes_one(
    grant: AccessGrant, support: User, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    before = newest()
    answer = support_client.post(url(grant, items[0]), {"reason": REASON}, follow=True)
    assert "Deleted." in said(answer)
    assert [text for _, text in everything(alice_memory)] == [item.text for item in items[1:]]
    assert actions(before) == ["memory.delete-asked", "memory.deleted", "memory.listed"]
    asked, done = last_event("memory.delete-asked"), last_event("memory.deleted")
    assert (asked.actor, asked.grant, asked.object, asked.reason) == (
        str(support.pk),
        str(grant.pk),
        items[0].id,
        REASON,
    )
    assert done.object == items[0].id
    assert done.details["memories"] == 1


@pytest.mark.parametrize("reason", ["", " " * 30, "too short"])
def test_without_a_reason_nothing_is_deleted(
    reason: str, grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    stood = state(alice_memory)
    answer = support_client.post(url(grant, items[0]), {"reason": reason} if reason else {})
    assert answer.status_code == 422
    assert "Say why, in at least 10 characters." in said(answer)
    assert no_text_of(items, answer)
    assert state(alice_memory) == stood


def test_somebody_elses_memory_is_one_that_never_was(
    grant: AccessGrant, support_client: Client, bob_memory: ScopedMemory
) -> None:
    bobs = everything(bob_memory)
    for memory_id in (bobs[0][0], str(uuid.uuid4())):
        assert support_client.get(url(grant, memory_id)).status_code == 404
        assert support_client.post(url(grant, memory_id), {"reason": REASON}).status_code == 404
        assert last_event("memory.delete-failed").details == {"state": "MemoryNotFound"}
    assert everything(bob_memory) == bobs


def test_an_ended_access_deletes_nothing(
    grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    support_client.post(page_of(grant, "end/"))
    before, stood = newest(), state(alice_memory)
    for verb in ("get", "post"):
        answer = getattr(support_client, verb)(url(grant, items[0]), {"reason": REASON})
        assert answer.status_code == 410
    assert actions(before) == []
    assert state(alice_memory) == stood


def test_a_revoked_role_deletes_nothing(
    grant: AccessGrant, support: User, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    support.groups.clear()
    assert support_client.post(url(grant, items[0]), {"reason": REASON}).status_code == 404
    assert len(everything(alice_memory)) == 3


@pytest.mark.parametrize("bad", ["1", "*", "%00"])
def test_an_id_that_is_none_is_not_found(bad: str, grant: AccessGrant, support_client: Client) -> None:
    assert support_client.post(url(grant, bad), {"reason": REASON}).status_code == 404


def test_the_person_can_still_delete_the_rest(
    grant: AccessGrant, support_client: Client, items: list[Item], alice: User, alice_memory: ScopedMemory
) -> None:
    support_client.post(url(grant, items[0]), {"reason": REASON})
    person: Any = signed_in(alice)
    assert person.post(f"/memories/{items[0].id}/delete/").status_code == 404
    assert person.post(f"/memories/{items[1].id}/delete/").status_code == 302
    assert len(everything(alice_memory)) == 1
