"""The store, the trail, the ledger, the keys, the mails are away, or a row is poisoned: nothing is lost or claimed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from psycopg.conninfo import conninfo_to_dict

from memoryportal.accounts import letters
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, ledger, services, tasks, telling
from memoryportal.erasure.lease import MAX_ATTEMPTS
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import InvalidSubject, SubjectId, places, pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.places import Place, Whose
from tests.audit.breaking import WAYS, broken_trail
from tests.proxy import Proxy

from .house import House, again, assert_ended_well, assert_fence_stands, ends_of

pytestmark = pytest.mark.django_db(transaction=True)


def kinds() -> list[str]:
    return sorted(Letter.objects.exclude(kind="request_received").values_list("kind", flat=True))


# --- the store ------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(house: House, settings: Any) -> Iterator[Proxy]:
    """The engine's way to the store. The portal's own database is reached without it."""
    direct = configuration().dsn
    with Proxy(Path(conninfo_to_dict(direct)["host"]) / ".s.PGSQL.5432") as between:
        settings.MEMORY_DATABASE_URL = between.dsn(direct)
        yield between
        pool.close_all()
    settings.MEMORY_DATABASE_URL = direct


@pytest.mark.parametrize("lost", ["the message", "the answer"])
def test_the_store_is_lost_at_any_message(house: House, proxy: Proxy, lost: str) -> None:
    cut = proxy.cut_before if lost == "the message" else proxy.cut_after
    delayed = 0
    for number in range(3, 1000, 17):
        erasure = house.ask()
        house.memory.count()  # the connection is there
        cut(number)
        erasure = engine.run(erasure)
        reached = proxy.sent >= number
        proxy.forward()
        pool.close_all()  # a pool whose connection was cut waits a second before it connects again
        if erasure.state == State.RETRYING:
            delayed += 1
            assert_fence_stands(house, erasure)
            erasure = again(erasure)
        assert_ended_well(house, erasure)
        house.reopen()
        if not reached:
            break
    assert delayed > 3


def test_a_store_that_is_away_delays_it_and_says_so_once(house: House, proxy: Proxy) -> None:
    erasure = house.ask()
    proxy.refuse()
    for attempt in (1, 2, 3):
        erasure = again(erasure)
        assert (erasure.state, erasure.attempts, erasure.lease_until) == (State.RETRYING, attempt, None)
    assert house.rows(house.alice) == house.before
    assert kinds() == ["request_delayed"]
    assert [event.details["state"] for event in Event.objects.filter(action="erasure.failed")] == [
        "StoreUnavailable"
    ] * 3
    proxy.forward()
    pool.close_all()
    assert_ended_well(house, again(erasure))
    assert kinds() == ["request_delayed", "request_ended"]


def test_a_delay_grows_and_ends(house: House) -> None:
    assert engine.delay(1).total_seconds() < 25
    assert all(engine.delay(n).total_seconds() < engine.delay(n + 2).total_seconds() for n in range(1, 8))
    assert all(engine.delay(n) <= engine.LONGEST_DELAY * 1.2 for n in (10, 30, 60))


# --- the trail, the ledger, the keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", WAYS)
def test_nothing_begins_unrecorded(house: House, how: str) -> None:
    erasure = house.ask()
    with broken_trail(how):
        erasure = engine.run(erasure)
    assert (erasure.state, erasure.began_at, erasure.attempts) == (State.WAITING, None, 0)
    assert house.rows(house.alice) == house.before
    assert house.gates() == set()
    assert_ended_well(house, again(erasure))


@pytest.mark.parametrize("how", WAYS)
def test_nothing_ends_unrecorded(house: House, how: str, settings: Any, tmp_path: Path) -> None:
    erasure = _stuck_at_the_ledger(house, settings, tmp_path)
    with broken_trail(how):
        erasure = again(erasure)
    assert erasure.state == State.RETRYING
    assert_fence_stands(house, erasure)
    assert house.gates() == {("", "erasing"), ("", "paused")}
    assert_ended_well(house, again(erasure))


def _stuck_at_the_ledger(house: House, settings: Any, tmp_path: Path) -> Erasure:
    """Begun, and not ended; the ledger works again."""
    there = settings.ERASURE_LEDGER
    settings.ERASURE_LEDGER = str(tmp_path)
    erasure = engine.run(house.ask())
    settings.ERASURE_LEDGER = there
    assert erasure.state == State.RETRYING
    return erasure


def test_a_ledger_that_cannot_be_written_keeps_it_from_being_done(house: House, settings: Any, tmp_path: Path) -> None:
    erasure = _stuck_at_the_ledger(house, settings, tmp_path)
    assert_fence_stands(house, erasure)
    assert not any(house.rows(house.alice).values())  # what is done stays done
    assert erasure.receipt is None
    assert_ended_well(house, again(erasure))


def test_a_key_that_cannot_be_read_keeps_it_from_being_done(house: House, settings: Any, tmp_path: Path) -> None:
    ledger.name_of("somebody")  # the folder is made with its first key
    there, settings.KEY_DIR = settings.KEY_DIR, str(tmp_path / "broken")
    shutil.copytree(there, settings.KEY_DIR)
    (tmp_path / "broken" / "broken.pem").write_text("no key")
    erasure = engine.run(house.ask())
    assert erasure.state == State.RETRYING
    assert_fence_stands(house, erasure)
    settings.KEY_DIR = there
    assert_ended_well(house, again(erasure))


# --- mails ----------------------------------------------------------------------------------------------------------


class Down(EmailBackend):
    """A mail server that is not there."""

    def send_messages(self, messages: Any) -> int:
        raise OSError("no route to host")


def test_mails_that_cannot_be_sent_delay_nothing_and_are_sent_later(house: House, settings: Any) -> None:
    works = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Down"
    erasure = engine.run(house.ask())
    assert_ended_well(house, erasure)
    letter = Letter.objects.get(kind="request_ended")
    with pytest.raises(OSError, match="no route"):
        letters.deliver(str(letter.pk))
    assert letter in Letter.objects.all()
    settings.EMAIL_BACKEND = works
    assert letters.deliver(str(letter.pk))
    assert [sent.to for sent in mail.outbox] == [[house.alice.email]]
    assert erasure.reference in mail.outbox[0].body + mail.outbox[0].subject


def test_the_last_mail_to_an_address_is_sent_once_and_then_forgotten(house: House, settings: Any) -> None:
    erasure = _by_mail(house)
    works = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Down"
    assert_ended_well(house, engine.run(erasure))
    with pytest.raises(OSError, match="no route"):
        telling.tell_end(str(erasure.pk))
    assert Erasure.objects.get(pk=erasure.pk).address == "carol@example.com"
    settings.EMAIL_BACKEND = works
    assert telling.tell_end(str(erasure.pk))
    assert not telling.tell_end(str(erasure.pk))
    assert [sent.to for sent in mail.outbox] == [["carol@example.com"]]
    assert Erasure.objects.get(pk=erasure.pk).address == ""


def _by_mail(house: House) -> Erasure:
    """Alice's memories, asked for by letter from an address without an account."""
    erasure = services.file(Channel.PRIVACY, [house.subject], address="carol@example.com")
    decisions.check_identity(erasure.pk, house.bob, "called back by telephone")
    other = type(house.bob).objects.create_user("second@example.com", None)
    decisions.approve(erasure.pk, other)
    decisions.begin_now(erasure.pk, decisions.officer(other))
    return Erasure.objects.get(pk=erasure.pk)


def test_an_address_that_nobody_can_write_to_is_forgotten_in_the_end(
    house: House, settings: Any, time_machine: Any
) -> None:
    erasure = _by_mail(house)
    settings.EMAIL_BACKEND = f"{__name__}.Down"
    engine.run(erasure)
    tasks.sweep(0)
    assert Erasure.objects.get(pk=erasure.pk).address
    ended = Erasure.objects.get(pk=erasure.pk).ended_at
    time_machine.move_to(ended + telling.PATIENCE + telling.PATIENCE / 7)
    tasks.sweep(0)
    assert Erasure.objects.get(pk=erasure.pk).address == ""


# --- a row that nobody foresaw --------------------------------------------------------------------------------------


class Poisoned:
    """A place whose rows break whoever counts them."""

    cured = False

    def concerns(self, whose: Whose) -> bool:
        return True

    def count(self, whose: Whose) -> int:
        if not self.cured:
            raise RuntimeError("zimtstern cannot be counted")
        return 0

    def erase(self, whose: Whose) -> int:
        return self.count(whose)


@pytest.fixture
def poison() -> Iterator[Poisoned]:
    keeper = Poisoned()
    places.register(Place("poison", "Poison", "Rows that break whoever counts them", frozenset({"x.y"}), keeper))
    yield keeper
    del places.PLACES["poison"]


def test_a_poisoned_row_goes_to_people_after_ten_attempts(
    house: House, poison: Poisoned, caplog: pytest.LogCaptureFixture
) -> None:
    erasure = house.ask()
    for attempt in range(1, MAX_ATTEMPTS):
        with pytest.raises(RuntimeError):
            again(erasure)
        erasure.refresh_from_db()
        assert (erasure.state, erasure.attempts) == (State.RETRYING, attempt)
    with pytest.raises(RuntimeError):
        again(erasure)
    erasure.refresh_from_db()
    assert erasure.state == State.NEEDS_ATTENTION
    assert_fence_stands(house, erasure)
    assert house.gates() == {("", "erasing")}
    assert kinds() == ["request_attention", "request_delayed"]
    assert "zimtstern" not in json.dumps(list(Event.objects.values("details", "reason")))
    untouched = Erasure.objects.values().get(pk=erasure.pk)
    engine.run(erasure)
    assert Erasure.objects.values().get(pk=erasure.pk) == untouched  # it waits for people

    decisions.try_again(erasure.pk, house.bob)
    with pytest.raises(RuntimeError):
        again(erasure)
    erasure.refresh_from_db()
    assert (erasure.state, erasure.attempts) == (State.RETRYING, 1)
    poison.cured = True
    assert_ended_well(house, again(erasure))
    assert kinds() == ["request_attention", "request_delayed", "request_ended"]


def test_a_worker_that_is_killed_each_time_gives_it_to_people(house: House) -> None:
    """Its attempts are counted when it is taken up, since a dead worker counts nothing."""
    erasure = house.ask()
    for _ in range(MAX_ATTEMPTS):
        Erasure.objects.filter(pk=erasure.pk).update(lease_until=None)
        assert engine.claim(erasure.pk) is not None
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=None)
    assert engine.run(erasure).state == State.NEEDS_ATTENTION
    assert kinds() == ["request_attention", "request_delayed"]
    assert ends_of(erasure) == []


def test_an_id_that_the_portal_refuses_gets_nowhere(house: House) -> None:
    """Written by SQL past every check."""
    erasure = services.file(Channel.HOST, [SubjectId("fine")], vouched=True)
    Erasure.objects.filter(pk=erasure.pk).update(subjects=["*"])
    with pytest.raises(InvalidSubject):
        decisions.approve(erasure.pk, house.bob)
    assert Erasure.objects.get(pk=erasure.pk).state == State.APPROVAL
    assert house.rows(house.alice) == house.before
