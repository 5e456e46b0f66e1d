"""Connecting and disconnecting: one event, one mail, and the id that is shown is named on every page."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts import letters, links
from memoryportal.accounts.models import Letter, Proof, SubjectLink, User
from memoryportal.audit.models import Event
from memoryportal.audit.record import AuditUnavailable
from memoryportal.memory import SubjectId

from .helpers import person, prove, sign_in, trail_shut

pytestmark = pytest.mark.django_db


def link(account: User, subject: str = "customer-1", issuer: str = "The shop") -> SubjectLink:
    return links.link(account, SubjectId(subject), reason="ticket 12", issuer=issuer)


def events(action: str) -> list[tuple[str, str, str]]:
    return list(Event.objects.filter(action=action).values_list("actor", "role", "reason"))


def post_everything() -> list[tuple[str, str]]:
    """What the worker does. (address, subject line) of each mail."""
    for pk in Letter.objects.values_list("pk", flat=True):
        letters.deliver(str(pk))
    return [(message.to[0], message.subject) for message in mail.outbox]


def test_the_command_leaves_an_event_and_a_mail(alice: User) -> None:
    call_command("link_subject", "alice@example.com", "customer-1", reason="ticket 12")
    assert events("link.made") == [("operator", "operator", "ticket 12")]
    call_command("link_subject", "alice@example.com", "customer-1", remove=True, reason="a mistake")
    assert events("link.removed") == [("operator", "operator", "a mistake")]
    assert [to for to, _ in post_everything()] == ["alice@example.com", "alice@example.com"]
    assert "connected" in mail.outbox[0].subject
    assert "disconnected" in mail.outbox[1].subject


def test_no_mail_names_the_id(alice: User) -> None:
    links.remove(link(alice))
    post_everything()
    for message in mail.outbox:
        assert "customer-1" not in message.body
        assert alice.subject not in message.body
        assert "The shop" in message.body
        assert "privacy@example.com" in message.body


def test_a_letter_is_sent_once_and_then_gone(alice: User) -> None:
    link(alice)
    letter = Letter.objects.get()
    assert letters.deliver(str(letter.pk))
    assert not letters.deliver(str(letter.pk))
    assert len(mail.outbox) == 1
    assert not Letter.objects.exists()


def test_the_queue_holds_the_number_of_a_letter_and_nothing_else(alice: User) -> None:
    link(alice)
    job = ProcrastinateJob.objects.get(task_name__endswith="send_letter")
    assert job.args == {"letter_id": str(Letter.objects.get().pk)}


def test_a_letter_whose_bell_was_lost_is_rung_for_again(alice: User) -> None:
    link(alice)
    jobs = ProcrastinateJob.objects.filter(task_name__endswith="send_letter")
    letters.ring_again()
    assert jobs.count() == 1  # it is young: its own job will come
    Letter.objects.update(written_at=timezone.now() - timedelta(minutes=6))
    letters.ring_again()
    letters.ring_again()
    assert jobs.count() == 2


def test_a_letter_is_given_up_after_a_week_and_not_silently(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    link(alice)
    Letter.objects.update(written_at=timezone.now() - timedelta(days=8))
    letters.ring_again()
    assert not Letter.objects.exists()
    assert "could not be sent for a week" in caplog.text
    assert "alice@example.com" not in caplog.text


def test_a_letter_that_cannot_be_sent_stays(alice: User, settings: Any) -> None:
    link(alice)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(OSError):
        letters.deliver(str(Letter.objects.get().pk))
    assert Letter.objects.count() == 1


def test_a_link_is_neither_made_nor_removed_without_its_event(alice: User) -> None:
    made = link(alice)
    with trail_shut():
        with pytest.raises(AuditUnavailable):
            link(alice, "customer-2")
        with pytest.raises(AuditUnavailable):
            links.remove(made)
    assert list(SubjectLink.objects.values_list("subject", flat=True)) == ["customer-1"]
    assert Letter.objects.values_list("kind", flat=True).get() == "link_made"


def test_the_person_disconnects_an_id(alice: User, client: Client) -> None:
    made = link(alice)
    sign_in(client, "alice@example.com")
    path = f"/settings/ids/{made.pk}/disconnect/"
    assert f'href="{path}"' in client.get("/settings/").content.decode()
    assert client.post(path).headers["Location"].startswith("/accounts/reauthenticate/")
    assert SubjectLink.objects.count() == 1
    prove(client)
    assert "Disconnect this id?" in client.get(path).content.decode()
    assert SubjectLink.objects.count() == 1
    assert client.post(path).headers["Location"] == "/settings/"
    assert not SubjectLink.objects.exists()
    assert events("link.removed") == [(str(alice.pk), "person", "")]
    assert Letter.objects.filter(kind="link_removed", to="alice@example.com").count() == 1
    assert client.post(path).status_code == 404
    assert len(events("link.removed")) == 1


def test_nobody_disconnects_somebody_elses_id(alice: User, bob_client: Client) -> None:
    made = link(alice)
    path = f"/settings/ids/{made.pk}/disconnect/"
    never = bob_client.get("/settings/ids/999999/disconnect/")
    for answer in (bob_client.get(path), bob_client.post(path)):
        assert answer.status_code == never.status_code == 404
    assert SubjectLink.objects.get().account == alice
    assert events("link.removed") == []


def test_the_issued_id_cannot_be_disconnected(alice: User, alice_client: Client) -> None:
    link(alice)
    page = alice_client.get("/settings/").content.decode()
    assert page.count("disconnect/") == 1


@pytest.mark.parametrize("path", ["/memories/", "/held/", "/settings/", "/accounts/sessions/", "/accounts/2fa/"])
def test_the_id_that_is_shown_is_named_on_every_page(path: str, alice: User, alice_client: Client) -> None:
    assert "Shown here:" not in alice_client.get(path).content.decode()
    link(alice)
    page = alice_client.get(path).content.decode()
    assert "Shown here: what is kept under your id" in page
    assert '<bdi class="reference">customer-1</bdi> at The shop' in page
    alice_client.post("/settings/subject/", {"choice": "issued"})
    assert f'<bdi class="reference">{alice.subject}</bdi>.' in alice_client.get(path).content.decode()


def test_naming_the_id_costs_no_statement(alice: User, alice_client: Client) -> None:
    alice_client.get("/settings/")
    with CaptureQueriesContext(
        connection,
    ) as alone:
        alice_client.get("/settings/")
    link(alice)
    with CaptureQueriesContext(connection) as linked:
        assert "Shown here" in alice_client.get("/settings/").content.decode()
    assert len(linked) == len(alone)


def test_an_anonymous_page_names_nothing(client: Client) -> None:
    assert "Shown here" not in client.get("/").content.decode()


# --- what the database itself refuses --------------------------------------------------------------------------------


def make(account: User, **about: Any) -> None:
    with transaction.atomic():
        SubjectLink.objects.create(account=account, subject="customer-1", proof=Proof.PRIVACY, **about)


def test_privacy_never_links_for_itself_or_alone(alice: User, bob: User) -> None:
    carol = person("carol@example.com")
    for by, approved_by in ((alice, bob), (bob, alice), (bob, bob)):
        with pytest.raises(IntegrityError):
            make(alice, by=by, approved_by=approved_by)
    make(alice, by=bob, approved_by=carol)
    bob.delete()
    carol.delete()
    assert SubjectLink.objects.get().by is None


def test_a_proof_that_nobody_knows_is_refused(alice: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SubjectLink.objects.create(account=alice, subject="customer-1", proof="passport")
