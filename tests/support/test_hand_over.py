"""A deletion request that the staff write down: it has a reference, and nobody carries it out by that."""

from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.erasure.models import Erasure
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.accounts.helpers import prove
from tests.mydata.remembered import everything

from .staffing import actions, last_event, newest, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db
REASON = "She asked for it on the telephone"


@pytest.fixture
def filed(grant: AccessGrant, support_client: Client) -> Erasure:
    answer = support_client.post(page_of(grant, "request/"), {"reason": REASON})
    assert answer.headers["Location"] == page_of(grant, "request/")
    return Erasure.objects.get()


def test_it_asks_first(grant: AccessGrant, support_client: Client) -> None:
    assert "Nothing is erased yet." in said(support_client.get(page_of(grant, "request/")))
    assert not Erasure.objects.exists()


def test_it_is_written_down_and_nothing_is_erased(
    filed: Erasure, grant: AccessGrant, alice: User, support: User, alice_memory: ScopedMemory
) -> None:
    assert (filed.account, filed.subject, filed.filed_by, filed.state) == (alice, alice.subject, support, "received")
    assert filed.steps.count() == 4
    assert len(everything(alice_memory)) == 3
    event = last_event("request.handed-over")
    assert (event.object, event.reason, event.grant) == (filed.reference, REASON, str(grant.pk))


def test_the_reference_is_shown(filed: Erasure, grant: AccessGrant, support_client: Client) -> None:
    page = support_client.get(page_of(grant, "request/"))
    assert filed.reference in said(page)
    assert 'name="reason"' not in page.content.decode()


def test_twice_is_once(filed: Erasure, grant: AccessGrant, support_client: Client) -> None:
    support_client.post(page_of(grant, "request/"), {"reason": REASON})
    assert list(Erasure.objects.all()) == [filed]


@pytest.mark.parametrize("reason", ["", " " * 30, "short"])
def test_without_a_reason_there_is_none(reason: str, grant: AccessGrant, support_client: Client) -> None:
    before = newest()
    answer = support_client.post(page_of(grant, "request/"), {"reason": reason} if reason else {})
    assert answer.status_code == 422
    assert not Erasure.objects.exists()
    assert actions(before) == []


def test_an_ended_access_writes_none_down(grant: AccessGrant, support_client: Client) -> None:
    support_client.post(page_of(grant, "end/"))
    assert support_client.post(page_of(grant, "request/"), {"reason": REASON}).status_code == 410
    assert support_client.get(page_of(grant, "request/")).status_code == 410
    assert not Erasure.objects.exists()


def test_privacy_finds_the_person_by_its_reference(filed: Erasure, privacy_client: Client, alice: User) -> None:
    grant = open_access(privacy_client, filed.reference, ticket=filed.reference, category="deletion")
    assert (grant.kind, grant.person) == ("request", alice)


class TestThePerson:
    """The person sees it, and only they can confirm it."""

    @pytest.fixture
    def client(self, alice: User) -> Any:
        return signed_in(alice)

    def test_sees_it(self, filed: Erasure, client: Client) -> None:
        page = said(client.get("/erasure/"))
        assert f"Our staff wrote a request down for you: {filed.reference}" in page
        status = client.get(f"/erasure/{filed.pk}/")
        assert "Our staff wrote this request down for you." in said(status)
        assert "every 3s" not in status.content.decode()

    def test_does_not_start_it_by_continuing(self, filed: Erasure, client: Client, alice_memory: ScopedMemory) -> None:
        """To continue asks for no proof, because what is continued was confirmed. This was not."""
        answer = client.post(f"/erasure/{filed.pk}/continue/")
        assert answer.headers["Location"] == "/erasure/"
        filed.refresh_from_db()
        assert filed.state == "received"
        assert len(everything(alice_memory)) == 3

    def test_erases_after_confirming(
        self, filed: Erasure, client: Client, items: list[Item], alice_memory: ScopedMemory
    ) -> None:
        prove(client)
        before = newest()
        answer = client.post("/erasure/", {"word": "erase"})
        assert answer.headers["Location"] == f"/erasure/{filed.pk}/"
        filed.refresh_from_db()
        assert filed.state == "completed"
        assert everything(alice_memory) == []
        assert actions(before) == ["erasure.asked", "erasure.done"]


def test_nobody_else_sees_it(filed: Erasure, bob_client: Client) -> None:
    assert bob_client.get(f"/erasure/{filed.pk}/").status_code == 404
