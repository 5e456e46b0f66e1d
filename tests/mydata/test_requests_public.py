"""The public form: the same answer and the same work whoever the address belongs to, and a limit on all of it."""

import re
from datetime import timedelta
from smtplib import SMTPException

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.audit.models import Event
from memoryportal.erasure import quotas, services, tasks
from memoryportal.erasure.models import Channel, Erasure, Scope, State
from memoryportal.erasure.quotas import RequestQuota

from . import reading
from .asking import FORM, SENT, asks, confirmed, newest, path_in, works
from .remembered import everything, remember

pytestmark = pytest.mark.django_db
KNOWN, UNKNOWN = "alice@example.com", "nobody@example.com"


def shapes(captured: CaptureQueriesContext) -> list[str]:
    """Statements without what they were about."""
    return [re.sub(r"'[^']*'|\b\d+\b|\bs\d+_x\d+\b", "?", query["sql"]) for query in captured.captured_queries]


# --- the form --------------------------------------------------------------------------------------------------------


def test_the_form_is_open_to_everybody(client):
    page = reading.body(client.get(FORM))
    for field in ("address", "scope", "agent", "told"):
        assert f'name="{field}"' in page
    for link in ("/accounts/login/?next=/erasure/", "/requests/verify/", "mailto:privacy@example.com"):
        assert f'href="{link}"' in page
    assert not Erasure.objects.exists()


def test_it_is_found_from_the_start_and_from_every_foot(client):
    assert reading.body(client.get("/")).count('href="/requests/"') == 2
    assert 'href="/requests/"' in reading.body(client.get("/accounts/login/"))


def test_people_who_are_signed_in_have_a_shorter_way(alice_client):
    assert alice_client.get(FORM).headers["Location"] == "/erasure/"
    assert asks(alice_client, KNOWN).headers["Location"] == "/erasure/"
    assert not Erasure.objects.exists()


def test_a_request_is_written_down_and_nothing_else(client, alice, alice_memory):
    remember(alice_memory, "I am vegetarian.")
    before = everything(alice_memory)
    response = asks(client, " Alice@Example.com ", told="  I am  a_17\r\nthere ")
    assert (response.status_code, response.headers["Location"]) == (302, SENT)
    erasure = Erasure.objects.get()
    assert (erasure.channel, erasure.state, erasure.scope) == (Channel.FORM, State.IDENTITY, Scope.EVERYTHING)
    assert (erasure.address, erasure.told) == (KNOWN, "I am a_17 there")
    assert (erasure.subjects, erasure.account, erasure.agent) == ([], None, "")
    assert everything(alice_memory) == before
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"address": ""}, "Your e-mail address: Write your e-mail address."),
        ({"address": "alice"}, "This is not a complete e-mail address"),
        ({"address": "alice@example.com\nBcc: x@example.com"}, "This is not a complete e-mail address"),
        ({"address": f"{'a' * 250}@example.com"}, "at most 254 characters"),
        ({"scope": ""}, "What is to be erased?: This field is required."),
        ({"scope": "all"}, "Select a valid choice."),
        ({"scope": "assistant"}, "Write the name of the assistant."),
        ({"scope": "assistant", "agent": "*"}, "This cannot be the name of an assistant."),
        ({"scope": "assistant", "agent": "a" * 129}, "This cannot be the name of an assistant."),
        ({"told": "x" * 501}, "at most 500 characters"),
        ({"told": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_read_is_not_written_down(client, fields, says):
    response = asks(client, **{"address": KNOWN, **fields})
    assert response.status_code == 422
    assert says in reading.words(response)
    assert not Erasure.objects.exists()


def test_one_assistant_is_named(client):
    asks(client, KNOWN, scope="assistant", agent="support_bot")
    assert (newest().scope, newest().agent) == (Scope.ASSISTANT, "support_bot")


def test_the_name_of_an_assistant_counts_only_where_one_was_chosen(client):
    asks(client, KNOWN, scope="account", agent="*")
    assert (newest().scope, newest().agent) == (Scope.ACCOUNT, "")


def test_a_form_without_its_token_is_refused(alice):
    assert asks(Client(enforce_csrf_checks=True), KNOWN).status_code == 403
    assert not Erasure.objects.exists()


# --- nobody learns whether an address is known -----------------------------------------------------------------------


def test_known_and_unknown_addresses_get_the_same_answer(client, alice):
    answers = [asks(client, address) for address in (KNOWN, UNKNOWN)]
    assert len({(answer.status_code, answer.headers["Location"], answer.content) for answer in answers}) == 1
    assert {*answers[0].cookies} == {*answers[1].cookies} == set()
    pages = [Client().get(answer.headers["Location"]) for answer in answers]
    assert reading.without_tokens(pages[0]) == reading.without_tokens(pages[1])
    assert "@" not in reading.words(pages[0]).replace("privacy@example.com", "")


def test_known_and_unknown_addresses_cost_the_same(client, alice, alice_memory, django_capture_on_commit_callbacks):
    """Statement for statement, also what runs after the commit. An address that asked before is a known one, too."""
    remember(alice_memory, "I am vegetarian.")
    services.ask(alice, alice_memory.subject)
    asks(client, "somebody@example.com")  # the counters have their rows
    costs = []
    for address in (KNOWN, UNKNOWN, KNOWN, UNKNOWN):
        with CaptureQueriesContext(connection) as captured, django_capture_on_commit_callbacks(execute=True):
            asks(client, address)
        costs.append(shapes(captured))
    assert len(costs[0]) > 5
    assert costs[0] == costs[1] == costs[2] == costs[3]
    assert not any("account_emailaddress" in statement for statement in costs[0])


def test_both_get_a_mail_and_only_the_worker_sends_it(client, alice):
    for address in (KNOWN, UNKNOWN):
        asks(client, address)
        works()
    assert [letter.to for letter in mail.outbox] == [[KNOWN], [UNKNOWN]]
    words = [re.sub(r"MP-\w{4}-\w{4}|/requests/link/\S+", "", f"{one.subject} {one.body}") for one in mail.outbox]
    assert words[0] == words[1]
    assert newest().subjects == []


def test_the_bell_holds_an_id_and_nothing_else(client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        asks(client, KNOWN, told="I am a_17")
    job = ProcrastinateJob.objects.get(task_name__endswith="send_link")
    assert job.args == {"erasure_id": str(newest().pk)}


def test_the_token_lies_in_the_mail_only(client):
    asks(client, KNOWN)
    works()
    token = path_in(mail.outbox[0]).split("/")[3]
    assert len(token) == 43  # 256 bits
    link = newest().links.get()
    assert token not in str([*newest().links.values(), *Erasure.objects.values(), *Event.objects.values()])
    assert abs(link.until - link.sent_at - timedelta(days=7)) < timedelta(seconds=5)


def test_a_lost_bell_is_rung_again(client):
    asks(client, KNOWN)
    with time_machine.travel(timezone.now() + timedelta(minutes=3), tick=False):
        tasks.sweep(timestamp=0)
    assert ProcrastinateJob.objects.filter(task_name__endswith="send_link").count() == 1


def test_mail_that_is_down_loses_nothing(client, settings):
    asks(client, KNOWN)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises((OSError, SMTPException)):
        works()
    assert (newest().state, newest().links.count()) == (State.IDENTITY, 0)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    works()
    assert newest().links.count() == len(mail.outbox) == 1


def test_a_request_of_a_stranger_stands_in_nobodys_way(client, alice, alice_memory):
    asks(client, KNOWN)
    works()
    own = services.ask(alice, alice_memory.subject)
    assert own.channel == Channel.SELF
    assert services.history(alice) == [own]


# --- asked twice -----------------------------------------------------------------------------------------------------


def test_the_same_request_again_sends_one_more_link_of_the_first_three_at_most(client):
    for number in range(5):
        asks(client, KNOWN if number % 2 else KNOWN.upper())
        works()
    first, *again = Erasure.objects.order_by("asked_at")
    assert (first.state, first.links.count()) == (State.IDENTITY, 3)
    assert len(mail.outbox) == 3
    assert {first.reference in letter.subject for letter in mail.outbox} == {True}
    for erasure in again:
        assert (erasure.state, erasure.duplicate_of, erasure.address) == (State.CANCELLED, first, "")
        assert not erasure.links.exists()


def test_a_bell_that_rings_twice_sends_nothing_twice(client):
    asks(client, KNOWN)
    asks(client, KNOWN)
    first, second = Erasure.objects.order_by("asked_at")
    works(first)
    works(second)
    assert len(mail.outbox) == 2
    tasks.sweep(timestamp=0)
    assert not ProcrastinateJob.objects.filter(task_name__endswith="send_link").exists()


def test_other_wishes_are_requests_of_their_own_three_at_most(client):
    for name in ("one", "two", "three", "four"):
        asks(client, KNOWN, scope="assistant", agent=name)
        works()
    assert [erasure.state for erasure in Erasure.objects.order_by("asked_at")] == [*["identity"] * 3, "cancelled"]
    assert len(mail.outbox) == 3
    asks(client, UNKNOWN)  # somebody else's count is their own
    works()
    assert mail.outbox[-1].to == [UNKNOWN]


@pytest.mark.parametrize("scope", ["everything", "account"])
def test_nobody_is_kept_from_asking_for_everything(client, scope):
    """A stranger has filled the three of this address, with assistants that do not exist."""
    for name in ("one", "two", "three"):
        asks(Client(), KNOWN, scope="assistant", agent=name)
        works()
    mail.outbox.clear()
    asks(client, KNOWN, scope=scope)
    works()
    (letter,) = mail.outbox
    assert newest().reference in letter.subject
    assert newest().state == State.IDENTITY
    assert newest().links.count() == 1


def test_one_address_gets_so_many_mails_and_no_more(client, settings):
    """Whatever a stranger asks for in its name: five requests with three links each."""
    settings.REQUESTS_PER_NETWORK = settings.REQUESTS_PER_HOUR = 100
    wishes = [{"scope": "everything"}, {"scope": "account"}]
    wishes += [{"scope": "assistant", "agent": f"number-{n}"} for n in range(5)]
    for _ in range(5):
        for wish in wishes:
            asks(client, KNOWN, **wish)
            works()
    assert Erasure.objects.filter(state=State.IDENTITY).count() == 5
    assert len(mail.outbox) == 15


def test_whoever_confirmed_and_asks_again_is_told_how_it_stands_once_an_hour(client, alice, alice_memory):
    erasure = confirmed(client, KNOWN)
    assert erasure.state == State.WAITING
    mail.outbox.clear()
    for _ in range(3):
        asks(Client(), KNOWN)
        works()
    (letter,) = mail.outbox
    assert letter.to == [KNOWN]
    assert erasure.reference in letter.subject
    response = Client().get(path_in(letter))
    assert response.headers["Location"] == f"/requests/{erasure.reference}/"
    assert Erasure.objects.filter(state=State.WAITING).count() == 1


def test_an_address_that_an_officer_typed_is_told_nothing(client):
    given = services.file(Channel.PRIVACY, address=KNOWN)
    Erasure.objects.filter(pk=given.pk).update(identified_at=timezone.now(), identified_how="officer")
    Erasure.objects.filter(pk=given.pk).update(state=State.APPROVAL)
    asks(client, KNOWN)
    works()
    assert mail.outbox == []
    assert newest().duplicate_of == given


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(settings):
    settings.REQUESTS_PER_NETWORK, settings.REQUESTS_PER_HOUR = 2, 4


@pytest.mark.parametrize("address", [KNOWN, UNKNOWN])
def test_one_network_may_send_so_many_in_an_hour(few, client, alice, address):
    with time_machine.travel("2026-03-04T05:20:00Z", tick=False):
        for number in range(2):
            assert asks(client, f"{number}@example.com").status_code == 302
        refused = asks(client, address)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == str(40 * 60)
        assert "try again in 40 minutes" in reading.words(refused)
        assert asks(client, address, network="192.0.2.2").status_code == 302
    with time_machine.travel("2026-03-04T06:00:01Z", tick=False):
        assert asks(client, address).status_code == 302
    assert Erasure.objects.count() == 4


def test_looking_at_the_form_and_mistakes_cost_nothing(few, client):
    for _ in range(5):
        client.get(FORM)
        asks(client, "no address")
    assert asks(client, KNOWN).status_code == 302


def test_all_addresses_of_an_ipv6_network_count_as_one(few, client):
    sent = [asks(client, KNOWN, network=f"2001:db8:1:2::{last}").status_code for last in (1, 2, 3)]
    assert sent == [302, 302, 429]
    assert asks(client, KNOWN, network="2001:db8:1:3::1").status_code == 302


def test_one_network_cannot_use_up_what_is_there_for_everybody(few, client):
    for _ in range(20):
        asks(client, KNOWN)
    assert asks(client, KNOWN, network="192.0.2.2").status_code == 302


def test_there_is_a_limit_for_all_networks_together(few, client):
    sent = [asks(client, KNOWN, network=f"192.0.2.{last}").status_code for last in range(6)]
    assert sent == [302] * 4 + [429] * 2
    assert Erasure.objects.count() == 4


def test_counters_hold_no_address_and_go_with_their_hour(client):
    asks(client, KNOWN, network="192.0.2.77")
    stored = str([*RequestQuota.objects.values()])
    assert RequestQuota.objects.count() == 2
    assert not re.search(r"192\.0\.2|alice", stored)
    assert quotas.forget() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        assert quotas.forget() == 2
