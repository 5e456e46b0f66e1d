"""A deletion request that the staff write down: it has a reference, and nobody carries it out by that."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import User
from memoryportal.erasure import tasks
from memoryportal.erasure.models import Erasure
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.accounts.helpers import prove
from tests.mydata.remembered import everything

from .requests import a_request
from .staffing import actions, last_event, linked, newest, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db
REASON = "She asked for it on the telephone"


@pytest.fixture
def filed(grant: AccessGrant, support_client: Client) -> Erasure:
    answer = support_client.post(page_of(grant, "request/"), {"reason": REASON})
    assert answer.headers["Location"] == page_of(grant, "request/")
    return Erasure.objects.get()


def test_it_asks_first(grant: AccessGrant, support_client: Client) -> None:
    page = said(support_client.get(page_of(grant, "request/")))
    assert "Nothing is erased before they confirm it, and you cannot carry it out." in page
    assert not Erasure.objects.exists()


def test_it_is_written_down_and_nothing_is_erased(
    filed: Erasure, grant: AccessGrant, alice: User, support: User, alice_memory: ScopedMemory
) -> None:
    assert (filed.account, filed.subjects, filed.filed_by) == (alice, [alice.subject], support)
    assert (filed.state, filed.channel, filed.ticket) == ("identity", "support", grant.ticket)
    assert filed.due is not None
    assert len(everything(alice_memory)) == 3
    event = last_event("request.handed-over")
    assert (event.object, event.reason, event.grant) == (filed.reference, REASON, str(grant.pk))


def test_the_reference_is_shown(filed: Erasure, grant: AccessGrant, support_client: Client) -> None:
    page = support_client.get(page_of(grant, "request/"))
    assert filed.reference in said(page)
    assert 'name="reason"' not in page.content.decode()


def test_the_person_is_asked_by_mail(
    grant: AccessGrant, support_client: Client, django_capture_on_commit_callbacks: Any, alice: User
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        support_client.post(page_of(grant, "request/"), {"reason": REASON})
    filed = Erasure.objects.get()
    jobs = ProcrastinateJob.objects.filter(task_name="memoryportal.erasure.tasks.send_link")
    assert [job.args for job in jobs] == [{"erasure_id": str(filed.pk)}]
    page = said(support_client.get(page_of(grant, "request/")))
    assert "The person was asked by mail whether they want this." in page
    tasks.send_link(str(filed.pk))
    (letter,) = mail.outbox
    assert letter.to == [alice.email]
    assert filed.reference in letter.subject
    filed.refresh_from_db()
    assert filed.confirmed_at is not None


def test_a_lost_bell_is_rung_again(filed: Erasure, support_client: Client) -> None:
    """The sweep finds what nobody was asked about."""
    ProcrastinateJob.objects.all().delete()
    for minutes, rung in ((1, 0), (3, 1)):
        with time_machine.travel(filed.asked_at + timedelta(minutes=minutes)):
            tasks.sweep(0)
        jobs = ProcrastinateJob.objects.filter(task_name="memoryportal.erasure.tasks.send_link")
        assert [job.args["erasure_id"] for job in jobs] == [str(filed.pk)] * rung


def test_somebody_without_an_address_is_checked_by_privacy(
    alice: User, support_client: Client, privacy_client: Client
) -> None:
    linked(alice, "u-alice")
    grant = open_access(support_client, "u-alice", under="")
    AccessGrant.objects.filter(pk=grant.pk).update(person=None)
    alice.subject_links.all().delete()
    support_client.post(page_of(grant, "request/"), {"reason": REASON})
    page = said(support_client.get(page_of(grant, "request/")))
    assert "No e-mail address of this person is known, so the privacy team checks who asks." in page
    assert "Somebody has to check who asks" in said(privacy_client.get("/support/requests/"))


def test_privacy_writes_it_down_as_privacy(alice: User, privacy_client: Client) -> None:
    """Under an access for an earlier request, which is about one assistant."""
    earlier = a_request(alice.subject, account=alice, state="waiting", scope="assistant", agent="shop_bot")
    grant = open_access(privacy_client, earlier.reference, ticket=earlier.reference, category="deletion")
    privacy_client.post(page_of(grant, "request/"), {"reason": REASON})
    filed = Erasure.objects.exclude(pk=earlier.pk).get()
    assert (filed.channel, filed.ticket) == ("privacy", earlier.reference)
    assert last_event("request.handed-over").role == "privacy"


def test_support_finds_it_in_their_queue(filed: Erasure, support_client: Client) -> None:
    assert filed.reference in said(support_client.get("/support/requests/"))
    assert f"/support/requests/{filed.reference}/" in support_client.get("/support/requests/").content.decode()


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
        assert filed.state == "identity"
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
        assert actions(before) == ["erasure.asked", "erasure.begun", "erasure.done"]


def test_nobody_else_sees_it(filed: Erasure, bob_client: Client) -> None:
    assert bob_client.get(f"/erasure/{filed.pk}/").status_code == 404
