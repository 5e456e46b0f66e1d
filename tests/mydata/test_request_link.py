"""The link of a mail: opening it changes nothing, a button does, and its token stands nowhere else."""

import re
import secrets
import threading
from datetime import timedelta
from io import StringIO
from logging import StreamHandler, getLogger
from uuid import uuid4

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import tasks
from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.base.logs import ContentFree, LineFormatter
from memoryportal.erasure import engine, services
from memoryportal.erasure.letters import day
from memoryportal.erasure.models import Channel, Erasure, IdentityLink, Scope, State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.erasure.making import an_erasure

from . import reading
from .asking import CONFIRM, WITHDRAW, asks, confirmed, link_for, newest, opens, works
from .remembered import everything, remember

pytestmark = pytest.mark.django_db
KNOWN, UNKNOWN = "alice@example.com", "nobody@example.com"


@pytest.fixture
def told(alice_memory) -> ScopedMemory:
    remember(alice_memory, "I am vegetarian.", agent="support_bot")
    return alice_memory


def stored() -> list[object]:
    """What opening a link must leave as it was."""
    return [*Erasure.objects.values(), *IdentityLink.objects.values(), Event.objects.count()]


# --- opening it ------------------------------------------------------------------------------------------------------


def test_the_token_leaves_the_address_at_once(client, alice, told):
    path = link_for(client, KNOWN)
    response = client.get(path)
    assert (response.status_code, response.headers["Location"]) == (302, CONFIRM)
    cookie = response.cookies["request-link"]
    assert cookie.value == path.split("/")[3]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == (CONFIRM, "Lax", True)
    assert int(cookie["max-age"]) == 3600
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert cookie.value not in reading.body(client.get(CONFIRM))


def test_in_production_its_cookie_travels_encrypted_only(client, settings):
    settings.SESSION_COOKIE_SECURE = True
    assert client.get("/requests/link/abc/").cookies["__Secure-request-link"]["secure"] is True


def test_programs_that_open_links_change_nothing(client, alice, told):
    path = link_for(client, KNOWN)
    before = stored()
    for scanner in (Client(), Client()):
        for verb in (scanner.head, scanner.get):
            verb(path)
            verb(CONFIRM)
    assert stored() == before
    assert told.count() == 1
    assert confirmed(client, KNOWN).state == State.WAITING


@pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
def test_there_is_nothing_to_send_to_a_link(client, verb):
    path = link_for(client, KNOWN)
    assert getattr(client, verb)(path).status_code == 405
    assert newest().state == State.IDENTITY


def test_the_page_says_what_was_asked(client, alice):
    opens(client, link_for(client, KNOWN, scope="assistant", agent="support_bot", told="<b>a_17</b>"))
    page = client.get(CONFIRM)
    words = reading.words(page)
    assert "What the assistant “support_bot” remembers" in words
    assert "How the assistant knows you <b>a_17</b>" in words
    assert "&lt;b&gt;a_17&lt;/b&gt;" in reading.body(page)
    assert newest().reference in words
    assert "It begins 72 hours later; until then you can still take it back." in words
    assert "is deleted, too" not in words
    assert KNOWN not in words


def test_the_end_of_an_account_is_said_beforehand(client):
    opens(client, link_for(client, KNOWN, scope="account"))
    assert "An account under this address is deleted, too." in reading.words(client.get(CONFIRM))


# --- yes -------------------------------------------------------------------------------------------------------------


def test_yes_lets_it_go_on_for_all_own_ids(client, alice, told):
    other = SubjectId(f"alice-at-work-{uuid4()}")
    link(alice, other, reason="test")
    erasure = confirmed(client, KNOWN)
    assert (erasure.state, erasure.identified_how, erasure.account) == (State.WAITING, "mail", alice)
    assert erasure.subjects == [str(other), alice.subject]
    assert (erasure.attached_by, erasure.approved_at) == (None, None)
    assert timedelta(hours=71) < erasure.grace_until - timezone.now() < timedelta(hours=73)
    assert Event.objects.filter(action="identity.proven", object=erasure.reference).count() == 1
    assert erasure.links.get().used_at is not None
    assert told.count() == 1
    with time_machine.travel(timezone.now() + timedelta(hours=73), tick=False):
        assert engine.run(erasure).state == State.COMPLETED
    assert told.count() == 0


def test_the_account_is_told_at_its_own_address(client, alice, told):
    """The link went to another confirmed address of theirs, which somebody else may read by now."""
    EmailAddress.objects.create(user=alice, email="old@example.com", verified=True, primary=False)
    erasure = confirmed(client, "old@example.com")
    letter = Letter.objects.get()
    assert (letter.to, letter.kind) == (KNOWN, "request_received")
    assert (letter.about["reference"], letter.about["until"]) == (erasure.reference, day(erasure.grace_until))
    tasks.send_letter(letter_id=str(letter.pk))
    assert "Until then you can still take it back" in mail.outbox[-1].body


def test_without_an_account_nobody_else_is_told(client, alice, told):
    confirmed(client, UNKNOWN)
    assert not Letter.objects.exists()


def test_yes_leads_to_the_status_with_a_secret_for_that_page_only(client, alice, told):
    opens(client, link_for(client, KNOWN))
    response = client.post(CONFIRM)
    path = f"/requests/{newest().reference}/"
    assert response.headers["Location"] == path
    cookie = response.cookies["request"]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == (path, "Lax", True)
    assert response.cookies["request-link"].value == ""
    assert 'data-erasure-state="waiting"' in reading.body(client.get(path))
    assert cookie.value not in str([*Erasure.objects.values()])


def test_without_an_account_people_find_out_whose_data_it_is(client, alice, told):
    erasure = confirmed(client, UNKNOWN, told="I am a_17")
    assert (erasure.state, erasure.subjects, erasure.account) == (State.APPROVAL, [], None)
    assert erasure.told == "I am a_17"


@pytest.mark.parametrize("changes", [{"verified": False}, {"email": "alice@example.org"}])
def test_only_a_confirmed_address_finds_an_account(client, alice, told, changes):
    EmailAddress.objects.filter(user=alice).update(**changes)
    assert confirmed(client, KNOWN).subjects == []


def test_a_closed_account_is_not_found_by_its_address(client, alice, told):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert confirmed(client, KNOWN).subjects == []


def test_the_account_of_somebody_who_works_here_does_not_go_by_a_mail(client, alice, told):
    alice.groups.add(Group.objects.get(name="support"))
    assert confirmed(client, KNOWN, scope="account").state == State.APPROVAL
    assert confirmed(client, KNOWN).state == State.WAITING


def test_with_the_account_the_account_goes(client, alice, told, settings):
    settings.ERASURE_GRACE_HOURS = 0
    erasure = engine.run(confirmed(client, KNOWN, scope="account"))
    assert erasure.state == State.COMPLETED
    assert not User.objects.filter(pk=alice.pk).exists()
    assert told.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_do_it_once(client, alice, told):
    opens(client, link_for(client, KNOWN))
    at_once, sent = threading.Barrier(2), []

    def click() -> None:
        twin = Client()
        twin.cookies["request-link"] = client.cookies["request-link"].value
        at_once.wait()
        sent.append(twin.post(CONFIRM).headers.get("Location"))
        connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == [f"/requests/{newest().reference}/"] * 2
    assert Event.objects.filter(action="identity.proven").count() == 1


def test_a_double_click_does_it_once(client, alice, told):
    path = link_for(client, KNOWN)
    opens(client, path)
    token = client.cookies["request-link"].value
    first = client.post(CONFIRM)
    client.cookies["request-link"] = token
    second = client.post(CONFIRM)
    assert second.headers["Location"] == first.headers["Location"]
    assert Event.objects.filter(action="identity.proven").count() == 1


def test_a_link_that_was_used_still_leads_to_the_request(client, alice, told):
    path = link_for(client, KNOWN)
    opens(client, path)
    client.post(CONFIRM)
    before = stored()
    page = opens(Client(), path)
    assert 'data-erasure-state="waiting"' in reading.body(page)
    assert stored() == before


@pytest.mark.parametrize("path", [CONFIRM, WITHDRAW])
def test_a_button_of_another_site_is_refused(client, path):
    strict = Client(enforce_csrf_checks=True)
    opens(strict, link_for(client, KNOWN))
    assert strict.post(path).status_code == 403
    assert newest().state == State.IDENTITY


# --- no --------------------------------------------------------------------------------------------------------------


def test_no_takes_it_back(client, alice, told):
    opens(client, link_for(client, KNOWN))
    response = client.post(WITHDRAW)
    assert "Nothing was erased." in reading.words(response)
    assert newest().reference in reading.words(response)
    assert newest().state == State.CANCELLED
    assert response.cookies["request-link"].value == ""
    assert told.count() == 1


def test_taking_back_needs_a_button(client):
    opens(client, link_for(client, KNOWN))
    assert client.get(WITHDRAW).status_code == 405
    assert newest().state == State.IDENTITY


# --- links that are no good ------------------------------------------------------------------------------------------


def never_made(client: Client) -> str:
    return f"/requests/link/{secrets.token_urlsafe(32)}/"


def of_a_request_that_ended(client: Client) -> str:
    path = link_for(client, KNOWN)
    opens(client, path)
    client.post(WITHDRAW)
    return path


def too_old(client: Client) -> str:
    path = link_for(client, KNOWN)
    IdentityLink.objects.update(until=timezone.now() - timedelta(seconds=1))
    return path


def cut_off(client: Client) -> str:
    return f"{link_for(client, KNOWN)[:-5]}/"


@pytest.mark.parametrize("path_of", [never_made, of_a_request_that_ended, too_old, cut_off])
def test_a_link_that_is_no_good_is_always_the_same_page(client, alice, told, path_of):
    nothing = Client().get(CONFIRM)
    page = opens(browser := Client(), path_of(client))
    before = stored()
    for response in (page, browser.post(CONFIRM), browser.post(WITHDRAW)):
        assert response.status_code == 404
        assert "This link is not valid" in reading.words(response)
        assert reading.without_tokens(response) == reading.without_tokens(nothing)
    assert stored() == before


def test_a_very_long_token_is_no_burden(client):
    response = client.get(f"/requests/link/{'a' * 5000}/")
    assert len(response.cookies["request-link"].value) == 100


def test_tokens_are_not_logged(client, settings):
    written = StringIO()
    handler = StreamHandler(written)
    handler.addFilter(ContentFree())
    handler.setFormatter(LineFormatter())
    logger = getLogger("django.request")
    logger.addHandler(handler)
    path = link_for(client, KNOWN)
    token = path.split("/")[3]
    try:
        client.post(path)  # refused, and so logged
        client.get(f"/requests/s/{token}/")
        client.get(f"{path}?again")
    finally:
        logger.removeHandler(handler)
    assert {*re.findall(r"/requests/\S+", written.getvalue())} == {"/requests/link/(token)/", "/requests/s/(token)/"}
    assert token not in written.getvalue()


# --- other requests for the same -------------------------------------------------------------------------------------


def test_what_the_person_asked_for_already_is_what_goes_on(client, alice, told, settings):
    settings.ERASURE_GRACE_HOURS_OWN = 5
    own = services.ask(alice, told.subject)
    assert confirmed(client, KNOWN) == own
    assert (newest().state, newest().duplicate_of) == (State.CANCELLED, own)
    assert Erasure.objects.get(pk=own.pk).state == State.WAITING


@pytest.mark.parametrize("state", [State.IDENTITY, State.APPROVAL])
def test_what_others_wrote_down_gives_way_to_the_person(client, alice, told, state):
    theirs = an_erasure(told.subject, state=state, channel=Channel.SUPPORT)
    services.occupy(theirs)
    erasure = confirmed(client, KNOWN)
    assert erasure.state == State.WAITING
    theirs.refresh_from_db()
    assert (theirs.state, theirs.ground) == (State.CANCELLED, "Asked for again, and confirmed.")
    client.force_login(alice)
    words = reading.words(client.get("/activity/"))
    assert f"a newer one, which was confirmed, took its place, reference {theirs.reference}" in words
    assert "taken back" not in words


def test_asking_for_more_replaces_what_has_not_begun(client, alice, told, settings):
    settings.ERASURE_GRACE_HOURS_OWN = 5
    less = services.ask(alice, told.subject)
    erasure = confirmed(client, KNOWN, scope="account")
    assert (erasure.scope, erasure.state) == (Scope.ACCOUNT, State.WAITING)
    assert Erasure.objects.get(pk=less.pk).state == State.CANCELLED


@pytest.mark.parametrize("state", [State.ERASING, State.ON_HOLD])
def test_asking_for_more_waits_for_what_runs_or_is_held(client, alice, told, state):
    there = an_erasure(told.subject, state=state, account=alice)
    services.occupy(there)
    opens(client, link_for(client, KNOWN, scope="account"))
    response = client.post(CONFIRM, follow=True)
    assert f"The request {there.reference} for a part of this is under way or on hold." in reading.words(response)
    assert newest().state == State.IDENTITY
    assert newest().links.get().used_at is None
    assert Erasure.objects.get(pk=there.pk).state == state


def test_a_hold_is_not_escaped_by_asking_again(client, alice, told):
    there = an_erasure(told.subject, state=State.ON_HOLD, account=alice, ground="A court asked for it.")
    services.occupy(there)
    assert confirmed(client, KNOWN) == there
    assert Erasure.objects.exclude(pk=there.pk).get().state == State.CANCELLED
    assert told.count() == 1


def test_somebody_elses_account_is_never_reached(client, alice, told, bob, bob_memory):
    bobs = remember(bob_memory, "I always want a window seat.")
    erasure = confirmed(client, KNOWN, told=f"I am {bob.subject}")
    assert bob.subject not in erasure.subjects
    with time_machine.travel(timezone.now() + timedelta(hours=73), tick=False):
        engine.run(erasure)
    assert everything(bob_memory) == [(item.id, item.text) for item in bobs]


def test_a_new_link_of_the_same_request_counts_like_the_first(client, alice, told):
    link_for(client, KNOWN)
    again = link_for(client, KNOWN)
    opens(client, again)
    client.post(CONFIRM)
    (erasure,) = Erasure.objects.exclude(state=State.CANCELLED)
    assert (erasure.state, erasure.links.count()) == (State.WAITING, 2)
    assert mail.outbox[-1].to == [KNOWN]
    asks(client, UNKNOWN)
    works()
    assert newest().state == State.IDENTITY
