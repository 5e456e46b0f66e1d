"""The list of a grant: masked, paged, and only for whom it was opened."""

import uuid
from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import everything, remember

from .staffing import (
    actions,
    fragment,
    last_event,
    newest,
    no_text_of,
    open_access,
    page_of,
    said,
    signed_in,
    staff_member,
)

pytestmark = pytest.mark.django_db


def test_the_list_shows_when_from_whom_and_roughly_how_long(
    grant: AccessGrant, support_client: Client, items: list[Item]
) -> None:
    before = newest()
    answer = support_client.get(page_of(grant))
    assert answer.status_code == 200
    assert no_text_of(items, answer)
    assert "hidden 10 March 2026 from the assistant shop_bot short text" in said(answer)
    assert "from the assistant shop_bot medium text" in said(answer)
    assert 'data-memory-total="3"' in answer.content.decode()
    assert actions(before) == ["memory.listed"]


def test_the_event_says_who_whom_and_under_which_grant(
    grant: AccessGrant, support: User, support_client: Client
) -> None:
    support_client.get(page_of(grant))
    event, opened = last_event("memory.listed"), last_event("grant.opened")
    assert (event.actor, event.role, event.grant) == (str(support.pk), "support", str(grant.pk))
    assert event.subject == opened.subject
    assert event.request_id


def test_only_this_person_is_listed(grant: AccessGrant, support_client: Client, bob_memory: ScopedMemory) -> None:
    page = support_client.get(page_of(grant)).content.decode()
    assert all(memory_id not in page for memory_id, _ in everything(bob_memory))


def test_the_time_left_is_said_and_nothing_about_it_is_announced(grant: AccessGrant, support_client: Client) -> None:
    page = support_client.get(page_of(grant))
    assert "15 minutes left until" in said(page)
    bar = page.content.decode().split('class="time-left"')[1].split("</div>")[0]
    assert "aria-live" not in bar
    assert "role=" not in bar
    assert "data-announce" not in page.content.decode()


def test_pages_have_twenty_five_and_lead_on(support_client: Client, alice_memory: ScopedMemory) -> None:
    remember(alice_memory, *[f"Thing number {n}" for n in range(60)])
    grant = open_access(support_client)
    url, seen = page_of(grant), []
    for size in (25, 25, 10):
        page = support_client.get(url).content.decode()
        ids = [part.split('"')[0] for part in page.split('data-memory-id="')[1:]]
        assert len(ids) == size
        seen += ids
        url = page_of(grant) + page.split("?after=")[1].split('"')[0].join(["?after=", ""]) if "?after=" in page else ""
    assert url == ""
    assert seen == [memory_id for memory_id, _ in reversed(everything(alice_memory))]


@pytest.mark.parametrize("after", ["nonsense", "%00", "W10", "a" * 2000])
def test_a_page_link_that_is_none_shows_the_first_page(after: str, grant: AccessGrant, support_client: Client) -> None:
    page = support_client.get(page_of(grant) + f"?after={after}")
    assert page.status_code == 200
    assert "This page link no longer fits." in said(page)


def test_somebody_without_memories_has_an_empty_list(bob: User, support_client: Client) -> None:
    grant = open_access(support_client, "bob@example.com")
    assert "Nothing is stored under this id." in said(support_client.get(page_of(grant)))


@pytest.mark.parametrize("headers", [{}, fragment("memories"), fragment("page")])
def test_somebody_elses_grant_is_one_that_never_was(headers: dict[str, str], grant: AccessGrant, items: Any) -> None:
    other = signed_in(staff_member("second", "support"))
    before = newest()
    for rest in ("", "end/", "reveal/", "search/", "request/", f"memories/{items[0].id}/delete/"):
        for verb in ("get", "post"):
            data = {"id": items[0].id, "q": "quillwort", "by": "word", "reason": "a reason that is one"}
            theirs = getattr(other, verb)(page_of(grant, rest), data, headers=headers)
            nothing = getattr(other, verb)(f"/support/grants/{uuid.uuid4()}/{rest}", data, headers=headers)
            assert theirs.status_code == nothing.status_code, f"{verb} {rest}"
            assert theirs.status_code in (404, 405) or theirs.headers["Location"].endswith(page_of(grant))
            assert no_text_of(items, theirs)
    assert actions(before) == []
    grant.refresh_from_db()
    assert grant.is_open


def test_privacy_cannot_use_supports_grant(grant: AccessGrant, privacy_client: Client) -> None:
    assert privacy_client.get(page_of(grant)).status_code == 404


def test_the_person_cannot_use_it_either(grant: AccessGrant, alice_client: Client) -> None:
    assert alice_client.get(page_of(grant)).status_code == 404


@pytest.mark.parametrize("bad", ["1", "me", "00000000-0000-0000-0000-00000000000g", "%00"])
def test_ids_that_are_none_are_not_found(bad: str, support_client: Client) -> None:
    assert support_client.get(f"/support/grants/{bad}/").status_code == 404


def test_it_takes_no_forms(grant: AccessGrant, support_client: Client) -> None:
    assert support_client.post(page_of(grant)).status_code == 405
