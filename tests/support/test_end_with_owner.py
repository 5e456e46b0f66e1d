"""An access is to one person. It ends when the id becomes somebody else's, or the person joins the staff."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from memoryportal.accounts import links
from memoryportal.accounts.models import Proof, User
from memoryportal.memory import Item, ScopedMemory, SubjectId
from memoryportal.support import tasks
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import remember

from .staffing import actions, last_event, linked, newest, no_text_of, open_access, page_of, said

pytestmark = pytest.mark.django_db
WHY = "it would be somebody else’s by now, or the person works for us"
SUBJECT = SubjectId("customer-8821")


@pytest.fixture
def items() -> Iterator[list[Item]]:
    memory = ScopedMemory.for_person(SUBJECT)
    yield remember(memory, "Grows quillwort behind the greenhouse.", agent="shop_bot")
    memory.erase()


@pytest.fixture
def access(alice: User, items: list[Item], support_client: Client) -> AccessGrant:
    """Support's access to what is kept under an id that Alice has connected."""
    linked(alice, SUBJECT)
    return open_access(support_client, SUBJECT)


def give_to(account: User) -> None:
    links.remove(account.subject_links.model.objects.get(subject=SUBJECT))
    links.make(account, SUBJECT, proof=Proof.OIDC, by=account)


def assert_over(access: AccessGrant, items: list[Item], client: Client) -> None:
    before = newest()
    answers = (
        client.post(page_of(access, "reveal/"), {"id": items[0].id}),
        client.post(page_of(access, "search/"), {"q": "quillwort", "by": "word"}),
        client.post(page_of(access, f"memories/{items[0].id}/delete/"), {"reason": "The person asked for it"}),
        client.get(page_of(access)),
    )
    for answer in answers:
        assert answer.status_code == 410
        assert no_text_of(items, answer)
    assert WHY in said(answers[0])
    assert actions(before) == ["grant.ended"]
    assert last_event("grant.ended").details == {"kind": "owner", "count": 0}
    assert ScopedMemory.for_person(SUBJECT).count() == 1


def test_with_the_id_that_goes_to_somebody_else(
    access: AccessGrant, items: list[Item], bob: User, support_client: Client
) -> None:
    give_to(bob)
    assert_over(access, items, support_client)


def test_with_the_id_that_goes_to_whoever_looks(
    access: AccessGrant, items: list[Item], support: User, support_client: Client
) -> None:
    give_to(support)
    assert_over(access, items, support_client)


@pytest.mark.parametrize("role", ["privacy", "administrator"])
def test_with_the_person_who_joins_the_staff(
    role: str, access: AccessGrant, items: list[Item], alice: User, support_client: Client
) -> None:
    if role == "administrator":
        User.objects.filter(pk=alice.pk).update(is_superuser=True)
    else:
        alice.groups.set(Group.objects.filter(name=role))
    assert_over(access, items, support_client)


def test_with_an_id_of_nobody_that_somebody_connects(items: list[Item], bob: User, support_client: Client) -> None:
    access = open_access(support_client, SUBJECT)
    linked(bob, SUBJECT)
    assert_over(access, items, support_client)


def test_by_the_worker(access: AccessGrant, bob: User) -> None:
    give_to(bob)
    tasks.end_grants(timestamp=0)
    access.refresh_from_db()
    assert access.ended_how == "owner"


def test_an_id_that_the_person_disconnects_ends_nothing(
    access: AccessGrant, items: list[Item], alice: User, support_client: Client
) -> None:
    links.remove(alice.subject_links.get())
    answer: Any = support_client.post(page_of(access, "reveal/"), {"id": items[0].id})
    assert items[0].text in said(answer)
