"""The page of a request for whoever holds its secret, and for nobody else."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.erasure import engine, identity, services, tasks
from memoryportal.erasure.models import Channel, Erasure, Scope, State
from memoryportal.memory import ScopedMemory
from tests.erasure.making import an_erasure

from . import reading
from .asking import confirmed, holds, link_for, newest, path_in, works
from .remembered import remember

pytestmark = pytest.mark.django_db
KNOWN = "alice@example.com"
TAILS = ("", "cancel/", "receipt/", "receipt/file/")


@pytest.fixture
def told(alice_memory) -> ScopedMemory:
    remember(alice_memory, "I am vegetarian.", agent="support_bot")
    return alice_memory


@pytest.fixture
def done(alice, told) -> Erasure:
    """A request that was carried out."""
    return engine.run(services.ask(alice, told.subject))


def ask_all(client: Client, erasure: Erasure) -> list:
    base = f"/requests/{erasure.reference}/"
    return [client.get(base + tail) for tail in TAILS] + [client.post(f"{base}{act}/") for act in ("cancel", "link")]


# --- who sees it -----------------------------------------------------------------------------------------------------


def test_the_secret_leaves_the_address_at_once(client, done):
    secret = identity.new_secret(done)
    response = client.get(f"/requests/s/{secret}/")
    assert response.headers["Location"] == f"/requests/{done.reference}/"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    cookie = response.cookies["request"]
    assert (cookie.value, cookie["path"], cookie["httponly"]) == (secret, f"/requests/{done.reference}/", True)
    page = client.get(response.headers["Location"])
    assert 'data-erasure-state="completed"' in reading.body(page)
    assert secret not in reading.body(page)


@pytest.mark.parametrize("verb", ["post", "put", "delete"])
def test_nothing_can_be_sent_to_a_secret(client, done, verb):
    assert getattr(client, verb)(f"/requests/s/{identity.new_secret(done)}/").status_code == 405


def test_without_the_secret_no_reference_exists(client, done):
    waiting = an_erasure(state=State.APPROVAL)
    never = Erasure(reference="MP-0000-0000")
    missing = client.get("/requests/MP-ZZZZ-ZZZZ/nothing/")
    assert "Open the link of the newest mail" in reading.words(missing), "says what to do next"
    nothing = reading.without_tokens(missing)
    for browser in (client, Client()):
        for erasure in (done, waiting, never):
            for response in ask_all(browser, erasure):
                assert response.status_code == 404
                assert reading.without_tokens(response) == nothing
        client.cookies["request"] = "a-secret-that-somebody-made-up"
    assert Erasure.objects.get(pk=waiting.pk).state == State.APPROVAL


def test_a_secret_shows_its_own_request_only(client, done):
    other = an_erasure(state=State.APPROVAL)
    holds(client, done)
    for response in ask_all(client, other):
        assert response.status_code == 404
    assert Erasure.objects.get(pk=other.pk).state == State.APPROVAL


def test_an_empty_secret_is_none(client):
    erasure = an_erasure(state=State.APPROVAL)  # nobody was given one
    client.cookies["request"] = ""
    assert client.get(f"/requests/{erasure.reference}/").status_code == 404
    assert client.get("/requests/s//").status_code == 404


@pytest.mark.parametrize("secret", ["", "x", "%00", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 43, "a" * 3000])
def test_secrets_that_are_none_are_not_found(client, secret):
    assert client.get(f"/requests/s/{secret}/").status_code == 404


def test_it_ends_after_ninety_days(client, done):
    path = holds(client, done)
    with time_machine.travel(timezone.now() + timedelta(days=89), tick=False):
        assert client.get(path).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=91), tick=False):
        assert client.get(path).status_code == 404


def test_the_browser_that_had_it_keeps_it_when_the_last_mail_names_it_again(client, alice, told, settings):
    settings.ERASURE_GRACE_HOURS = 0
    erasure = confirmed(client, KNOWN)
    engine.run(erasure)
    mail.outbox.clear()
    tasks.tell_end(erasure_id=str(erasure.pk))
    (letter,) = mail.outbox
    assert letter.to == [KNOWN]
    assert client.get(f"/requests/{erasure.reference}/").status_code == 200
    other = Client()
    assert 'data-erasure-state="completed"' in reading.body(other.get(path_in(letter), follow=True))


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_it_says_how_it_stands_and_nothing_about_the_person(client, alice, told):
    erasure = confirmed(client, KNOWN, told="I am a_17")
    page = client.get(f"/requests/{erasure.reference}/")
    words = reading.words(page)
    assert "Until it begins you can take it back." in words
    assert "Has to be done by" in words
    assert "To find this page again, open the link in the newest mail that you have from us." in words
    assert "Times on this page are in UTC" in words
    for hidden in (KNOWN, alice.subject, "a_17", "vegetarian", "/erasure/", "/memories/"):
        assert hidden not in reading.body(page)


def test_counts_are_shown_place_by_place(client, done):
    words = reading.words(client.get(holds(client, done)))
    assert re.search(r"Memories 1 entry found, 1 removed\. Read again on [^.]*: empty\.", words)
    assert "May your assistants start" not in words


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_a_page(client, state):
    erasure = an_erasure("somebody", state=state, ground="A ground in words.")
    page = client.get(holds(client, erasure))
    assert f'data-erasure-state="{state}"' in reading.body(page)
    assert f'action="/requests/{erasure.reference}/' not in reading.body(page)
    assert (f'href="/requests/{erasure.reference}/cancel/"' in reading.body(page)) is erasure.is_cancellable


def test_it_asks_again_by_itself_while_it_moves(client, alice, told):
    erasure = an_erasure(told.subject, state=State.ERASING)
    path = holds(client, erasure)
    fragment = client.get(path, headers={"HX-Request": "true", "HX-Target": "erasure"})
    assert reading.body(fragment).startswith('<div id="erasure"')
    assert f'hx-get="{path}"' in reading.body(fragment)


def test_after_the_account_is_gone_it_is_all_that_there_is(client, alice, told):
    erasure = services.ask(alice, told.subject, scope=Scope.ACCOUNT)
    path = holds(client, erasure)
    engine.run(erasure)
    assert not User.objects.filter(pk=alice.pk).exists()
    assert 'data-erasure-state="completed"' in reading.body(client.get(path))
    tasks.tell_end(erasure_id=str(erasure.pk))
    assert (mail.outbox[-1].to, Erasure.objects.get().address) == ([KNOWN], "")
    assert client.get(path_in(mail.outbox[-1])).headers["Location"] == path


# --- what can be done ------------------------------------------------------------------------------------------------


def test_it_can_be_taken_back_until_it_begins(client, alice, told):
    erasure = confirmed(client, KNOWN)
    path = f"/requests/{erasure.reference}/"
    assert "Take the request back?" in reading.words(client.get(f"{path}cancel/"))
    assert Erasure.objects.get(pk=erasure.pk).state == State.WAITING
    response = client.post(f"{path}cancel/", follow=True)
    assert "Taken back. Nothing was erased." in reading.words(response)
    assert Erasure.objects.get(pk=erasure.pk).state == State.CANCELLED
    assert Event.objects.get(action="request.cancelled").role == "anonymous"
    assert told.count() == 1


def test_too_late_is_said_in_words(client, done):
    path = holds(client, done)
    assert client.get(f"{path}cancel/").headers["Location"] == path
    assert "It has ended." in reading.words(client.post(f"{path}cancel/", follow=True))
    assert Erasure.objects.get().state == State.COMPLETED


def test_the_link_can_be_sent_again_three_times_in_all(client):
    link_for(client, KNOWN)
    path = holds(client, newest())
    for number in (2, 3):
        assert "A new mail with a link is on its way." in reading.words(client.post(f"{path}link/", follow=True))
        assert ProcrastinateJob.objects.filter(task_name__endswith="send_link").count() == 1
        ProcrastinateJob.objects.all().delete()
        works()
        assert len(mail.outbox) == number
    assert f'action="{path}link/"' not in reading.body(client.get(path))
    assert "No more mails can be sent" in reading.words(client.post(f"{path}link/", follow=True))
    assert not ProcrastinateJob.objects.exists()
    assert client.get(f"{path}link/").status_code == 405


def test_what_the_staff_filed_can_be_taken_back_by_its_secret(client):
    erasure = an_erasure("somebody", state=State.APPROVAL, channel=Channel.PRIVACY)
    client.post(f"{holds(client, erasure)}cancel/")
    assert Erasure.objects.get().state == State.CANCELLED


def test_buttons_of_other_sites_are_refused(alice, told):
    strict = Client(enforce_csrf_checks=True)
    erasure = an_erasure("somebody", state=State.APPROVAL)
    path = holds(strict, erasure)
    for act in ("cancel", "link"):
        assert strict.post(f"{path}{act}/").status_code == 403
    assert Erasure.objects.get().state == State.APPROVAL


# --- the receipt -----------------------------------------------------------------------------------------------------


def test_the_receipt_is_here_too(client, done):
    path = holds(client, done)
    assert f'href="{path}receipt/"' in reading.body(client.get(path))
    page = client.get(f"{path}receipt/")
    assert done.reference in reading.words(page)
    assert f'href="{path}receipt/file/"' in reading.body(page)
    assert client.get(f"{path}receipt/file/").json() == Erasure.objects.get().receipt


def test_there_is_no_receipt_of_what_was_not_done(client):
    path = holds(client, an_erasure("somebody", state=State.REFUSED, ground="Not your data."))
    for tail in ("receipt/", "receipt/file/"):
        assert client.get(path + tail).headers["Location"] == path
