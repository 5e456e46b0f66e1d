"""Showing texts: one, or a page of them, each with its event before it."""

import uuid
from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import everything, remember

from .staffing import actions, fragment, last_event, newest, no_text_of, page_of, said, signed_in, state

pytestmark = pytest.mark.django_db


def reveal(client: Client, grant: AccessGrant, *ids: str, target: str = "", **data: str) -> Any:
    headers = fragment(target) if target else {}
    return client.post(page_of(grant, "reveal/"), {"id": list(ids), **data}, headers=headers)


def test_one_is_shown_without_a_script(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    before = newest()
    answer = reveal(support_client, grant, items[0].id)
    assert answer.status_code == 200
    assert "1 memory shown" in said(answer)
    assert items[0].text in said(answer)
    assert no_text_of(items[1:], answer)
    assert page_of(grant) in answer.content.decode()
    assert actions(before) == ["memory.revealed"]


def test_one_takes_its_place_in_the_list(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    answer = reveal(support_client, grant, items[0].id, target=f"memory-{items[0].id}")
    assert answer.content.decode().lstrip().startswith(f'<article class="memory" id="memory-{items[0].id}"')
    assert items[0].text in said(answer)
    assert "hidden" not in said(answer)
    assert "<html" not in answer.content.decode()


def test_the_event_says_which(grant: AccessGrant, support: User, support_client: Client, items: list[Item]) -> None:
    reveal(support_client, grant, items[0].id)
    event = last_event("memory.revealed")
    assert (event.actor, event.role, event.grant) == (str(support.pk), "support", str(grant.pk))
    assert event.details == {"ids": [items[0].id], "count": 1}


@pytest.mark.parametrize("target", ["", "page"])
def test_a_page_is_shown_at_once(target: str, grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    ids = [item.id for item in items]
    headers = fragment(target) if target else {}
    answer = support_client.post(page_of(grant, "reveal/"), {"all": "1", "on_page": ids}, headers=headers)
    assert all(item.text in said(answer) for item in items)
    assert ("<html" in answer.content.decode()) == (not target)
    assert last_event("memory.revealed").details == {"ids": ids, "count": 3}


def test_the_button_that_was_pressed_counts(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    """Without a script the form sends the ids of the whole page with every button."""
    ids = [item.id for item in items]
    answer = support_client.post(page_of(grant, "reveal/"), {"id": ids[1], "on_page": ids})
    assert items[1].text in said(answer)
    assert no_text_of([items[0], items[2]], answer)
    assert last_event("memory.revealed").details["ids"] == [ids[1]]


def test_no_more_than_a_page_is_shown(grant: AccessGrant, support_client: Client, alice_memory: ScopedMemory) -> None:
    many = remember(alice_memory, *[f"Canary{n}" for n in range(30)])
    answer = support_client.post(page_of(grant, "reveal/"), {"all": "1", "on_page": [item.id for item in many]})
    assert answer.content.decode().count("Canary") == 25
    assert len(last_event("memory.revealed").details["ids"]) == 25


def test_somebody_elses_memory_is_one_that_never_was(
    grant: AccessGrant, support_client: Client, items: list[Item], bob_memory: ScopedMemory
) -> None:
    bobs = everything(bob_memory)[0][0]
    for asked in ([bobs], [items[0].id, bobs], [str(uuid.uuid4())]):
        answer = reveal(support_client, grant, *asked)
        assert answer.status_code == 404
        assert "bumblebees" not in answer.content.decode()
        assert no_text_of(items, answer)


@pytest.mark.parametrize("bad", ["1", "x", "*", "' OR 1=1 --"])
def test_an_id_that_is_none_is_not_found(bad: str, grant: AccessGrant, support_client: Client) -> None:
    before = newest()
    assert reveal(support_client, grant, bad).status_code == 404
    assert actions(before) == []


def test_no_id_shows_nothing(grant: AccessGrant, support_client: Client) -> None:
    before = newest()
    answer = support_client.post(page_of(grant, "reveal/"), {})
    assert answer.status_code == 422
    assert "Nothing was shown." in said(answer)
    assert actions(before) == []


def test_an_address_alone_shows_nothing(grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
    answer = support_client.get(page_of(grant, f"reveal/?id={items[0].id}"))
    assert answer.headers["Location"] == page_of(grant)


def test_different_memories_are_counted_for_the_note(
    grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    for asked in ([items[0].id], [items[0].id], [items[0].id, items[1].id]):
        reveal(support_client, grant, *asked)
    grant.refresh_from_db()
    assert grant.revealed == 2


def test_a_shown_text_cannot_act(grant: AccessGrant, support_client: Client, alice_memory: ScopedMemory) -> None:
    hostile = remember(alice_memory, '<img src=x onerror=alert(1)><div hx-get="/x">')[0]
    body = reveal(support_client, grant, hostile.id, target=f"memory-{hostile.id}").content.decode()
    assert "<img" not in body
    assert '<bdi dir="auto" hx-disable>&lt;img' in body


def test_the_role_is_asked_for_at_every_text(
    grant: AccessGrant, support: User, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    support.groups.clear()
    before = newest()
    for target in ("", f"memory-{items[0].id}", "page"):
        answer = reveal(support_client, grant, items[0].id, target=target)
        assert answer.status_code == 404
        assert no_text_of(items, answer)
    assert "memory.revealed" not in actions(before)


def test_an_ended_access_takes_the_texts_off_the_screen(
    grant: AccessGrant, support_client: Client, items: list[Item], alice_memory: ScopedMemory
) -> None:
    stale = signed_in(grant.staff)  # another tab, or a request that is sent again
    support_client.post(page_of(grant, "end/"))
    before, stood = newest(), state(alice_memory)
    answer = reveal(stale, grant, items[0].id, target=f"memory-{items[0].id}")
    assert answer.status_code == 409  # base.html: swapped
    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == ("#main", "innerHTML")
    assert "This access has ended Why: you ended it. Nothing of this person is shown" in said(answer)
    assert no_text_of(items, answer)
    whole = reveal(stale, grant, items[0].id)
    assert whole.status_code == 410
    assert no_text_of(items, whole)
    assert actions(before) == []
    assert state(alice_memory) == stood
