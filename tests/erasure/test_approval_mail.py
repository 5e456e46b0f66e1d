"""A second person has approved a request: the person hears when it begins and where they can take it back, once."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import Letter, User
from memoryportal.erasure import decisions, services, tasks
from memoryportal.erasure.models import Channel, Erasure, Identified
from memoryportal.erasure.moves import locked, move, proceed
from memoryportal.erasure.states import State
from memoryportal.memory import SubjectId
from tests.accounts.helpers import links_in, person
from tests.support.requests import a_request

pytestmark = pytest.mark.django_db
CAROL = "carol@example.org"
GROUND = "A court has ordered us to keep it"


@pytest.fixture(autouse=True)
def empty_queue(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def second(db: None) -> User:
    return person("second@example.com")


def rung() -> list[str]:
    jobs = ProcrastinateJob.objects.filter(task_name__endswith="tell_approval", status="todo")
    return [job.args["erasure_id"] for job in jobs]


def approved(second: User, **about: Any) -> Erasure:
    """Asked for by somebody of whom an officer found the ids; approved. The worker takes up every bell."""
    erasure = a_request("u-1", state="approval", **about)
    erasure.attached_at = timezone.now()
    erasure.save()
    return works(decisions.approve(erasure.pk, second))


def works(erasure: Erasure) -> Erasure:
    for pk in rung():
        tasks.tell_approval(erasure_id=pk)
    ProcrastinateJob.objects.all().delete()
    return Erasure.objects.get(pk=erasure.pk)


def ours_in(letter: Any) -> list[str]:
    """The links to the portal; where to complain is not ours."""
    return [path for path in links_in(letter.body) if path.startswith(("/requests/", "/erasure/"))]


def sent_to() -> list[str]:
    return [address for letter in mail.outbox for address in letter.to]


def test_without_an_account_the_mail_says_when_and_has_the_page_to_take_it_back(second: User, client: Client) -> None:
    erasure = approved(second, address=CAROL, identified_how=Identified.MAIL)
    assert (erasure.state, erasure.approval_told_at is not None) == (State.WAITING, True)
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == ([CAROL], f"Your deletion request {erasure.reference} was approved")
    assert timezone.localtime(erasure.grace_until).strftime("%H:%M UTC") in letter.body
    assert "u-1" not in letter.body
    (link,) = ours_in(letter)
    page = client.get(link, follow=True)
    assert b'data-erasure-state="waiting"' in page.content
    client.post(f"/requests/{erasure.reference}/cancel/")
    assert Erasure.objects.get(pk=erasure.pk).state == State.CANCELLED


def test_the_secret_lies_in_no_queue(second: User) -> None:
    erasure = a_request("u-1", state="approval", address=CAROL, identified_how=Identified.MAIL)
    Erasure.objects.filter(pk=erasure.pk).update(attached_at=timezone.now())
    decisions.approve(erasure.pk, second)
    (job,) = ProcrastinateJob.objects.filter(task_name__endswith="tell_approval")
    assert job.args == {"erasure_id": str(erasure.pk)}


def test_with_an_account_the_mail_leads_to_its_own_page(second: User, alice: User) -> None:
    erasure = approved(second, account=alice, channel=Channel.PRIVACY, identified_how=Identified.OFFICER)
    (letter,) = mail.outbox
    assert letter.to == [alice.email]
    (link,) = ours_in(letter)
    assert link.endswith(f"/erasure/{erasure.pk}/")
    client = Client()
    client.force_login(alice)
    client.post(f"/erasure/{erasure.pk}/cancel/")
    assert Erasure.objects.get(pk=erasure.pk).state == State.CANCELLED


def test_the_owner_of_the_account_hears_of_a_request_from_another_address(second: User, alice: User) -> None:
    approved(second, account=alice, address=CAROL, identified_how=Identified.MAIL)
    assert sent_to() == [CAROL, alice.email]
    carols, alices = (ours_in(letter)[0] for letter in mail.outbox)
    assert "/requests/s/" in carols
    assert "/requests/s/" not in alices


def test_an_address_that_nobody_has_shown_to_be_theirs_gets_no_link(second: User) -> None:
    approved(second, address=CAROL, channel=Channel.PRIVACY, identified_how=Identified.OFFICER)
    (letter,) = mail.outbox
    assert "write to us and give the reference" in letter.body
    assert ours_in(letter) == []


def test_nor_the_page_of_an_account_whose_address_it_is_not(second: User, alice: User) -> None:
    """Officers found out whose ids these are. That says nothing about the address that the request came with."""
    approved(second, account=alice, address=CAROL, channel=Channel.PRIVACY, identified_how=Identified.OFFICER)
    carols, alices = mail.outbox
    assert (carols.to, ours_in(carols)) == ([CAROL], [])
    assert "write to us and give the reference" in carols.body
    assert alices.to == [alice.email]
    assert len(ours_in(alices)) == 1


def test_the_account_has_its_page_at_its_own_address(second: User, alice: User) -> None:
    about = {"channel": Channel.PRIVACY, "identified_how": Identified.OFFICER}
    erasure = approved(second, account=alice, address=alice.email.upper(), **about)
    (letter,) = mail.outbox
    assert [link.endswith(f"/erasure/{erasure.pk}/") for link in ours_in(letter)] == [True]


def test_who_asks_in_a_session_shows_nothing_about_an_address_that_others_typed(alice: User, settings: Any) -> None:
    """Mallory's letter was about Alice's id. She asks for it herself: its mails are hers, and nobody else's."""
    settings.ERASURE_GRACE_HOURS_OWN = 72
    filed = services.file(Channel.SUPPORT, [SubjectId(alice.subject)], account=alice, address="mallory@example.org")
    own = services.ask(alice, SubjectId(alice.subject))
    assert (own.pk, own.state, own.address) == (filed.pk, State.WAITING, "")
    assert set(Letter.objects.values_list("to", flat=True)) == {alice.email}


@pytest.mark.parametrize(("address", "told"), [(CAROL, False), ("alice@example.com", True)])
def test_the_last_mail_has_the_secret_page_only_where_it_was_shown_whose_address_it_is(
    address: str, told: bool, alice: User
) -> None:
    """As it stood when an earlier version took it up."""
    erasure = a_request("u-1", state="verifying", account=alice, address=address, identified_how=Identified.SESSION)
    move(erasure, State.COMPLETED)
    assert tasks.telling.tell_end(str(erasure.pk))
    (letter,) = mail.outbox
    assert bool(ours_in(letter)) == told


def test_where_no_address_is_known_nothing_is_sent(second: User) -> None:
    erasure = approved(second, channel=Channel.PRIVACY, identified_how=Identified.OFFICER)
    assert erasure.state == State.WAITING
    tasks.sweep(0)
    works(erasure)
    assert mail.outbox == []


def test_it_is_sent_once_and_a_lost_bell_is_rung_again(second: User) -> None:
    erasure = a_request("u-1", state="approval", address=CAROL, attached_at=timezone.now())
    decisions.approve(erasure.pk, second)
    ProcrastinateJob.objects.all().delete()
    tasks.sweep(0)
    assert rung() == [str(erasure.pk)]
    works(erasure)
    tasks.sweep(0)
    assert rung() == []
    assert not tasks.telling.tell_approval(str(erasure.pk))
    assert sent_to() == [CAROL]


def test_nothing_is_said_that_is_not_true_any_more(second: User) -> None:
    """Taken back before the mail went out; or the mails were down until it was too late."""
    for number, late in enumerate((False, True)):
        erasure = a_request(f"u-{number}", state="approval", address=CAROL, attached_at=timezone.now())
        decisions.approve(erasure.pk, second)
        if not late:
            decisions.cancel(erasure.pk, decisions.SYSTEM)
        with time_machine.travel(timezone.now() + timedelta(hours=73 if late else 0), tick=False):
            assert not tasks.telling.tell_approval(str(erasure.pk))
    assert mail.outbox == []


def test_after_a_hold_they_are_told_anew(second: User) -> None:
    erasure = approved(second, address=CAROL)
    decisions.hold(erasure.pk, second, GROUND, timezone.localdate() + timedelta(days=30))
    works(erasure)
    assert sent_to() == [CAROL]
    decisions.release(erasure.pk, second)
    assert works(erasure).state == State.WAITING
    assert sent_to() == [CAROL, CAROL]


def test_what_the_person_asked_for_themselves_is_approved_by_nobody_and_not_told(alice: User) -> None:
    erasure = a_request(alice.subject, state="identity", account=alice, address=alice.email)
    Erasure.objects.filter(pk=erasure.pk).update(identified_at=timezone.now(), identified_how=Identified.MAIL)
    proceed(locked(erasure.pk))
    assert works(erasure).state == State.WAITING
    assert mail.outbox == []


def test_without_time_to_take_it_back_there_is_nothing_to_say(second: User, settings: Any) -> None:
    settings.ERASURE_GRACE_HOURS = 0
    approved(second, address=CAROL)
    assert mail.outbox == []
