"""The dates of the law with a clock that is moved: due, rest, extension, proof, holds, alerts, pruning."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, identity, intake, pruning, services, tasks
from memoryportal.erasure.clocks import Clock
from memoryportal.erasure.models import Channel, Erasure, PrunedCount, Scope
from memoryportal.erasure.moves import NotNow
from memoryportal.erasure.states import State
from memoryportal.memory import SubjectId
from tests.accounts.helpers import person

from .making import an_erasure

pytestmark = pytest.mark.django_db
REASON = "there are several systems to look through"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel("2026-03-02 10:00 +0000", tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def no_earlier_alert(db: None) -> None:
    cache.clear()


def at(clock: Any, day: str) -> None:
    clock.move_to(datetime.fromisoformat(f"{day}T10:00:00+00:00"))


def filed(law: str, settings: Any, **about: Any) -> Erasure:
    settings.DATA_LAW = law
    return services.file(Channel.PRIVACY, [SubjectId(f"u-{law}")], **about)


def fresh(erasure: Erasure) -> Erasure:
    return Erasure.objects.get(pk=erasure.pk)


# --- due ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "asked", "due"),
    [
        ("gdpr", "2026-01-31", "2026-02-28"),
        ("gdpr", "2028-01-31", "2028-02-29"),
        ("gdpr", "2027-12-31", "2028-01-31"),
        ("gdpr", "2028-02-29", "2028-03-29"),
        ("ccpa", "2026-01-31", "2026-03-17"),
        ("ccpa", "2028-01-31", "2028-03-16"),
        ("ccpa", "2026-11-20", "2027-01-04"),
        ("both", "2026-01-31", "2026-02-28"),
        ("both", "2026-03-31", "2026-04-30"),
    ],
)
def test_due_dates_of_requests(clock: Any, settings: Any, law: str, asked: str, due: str) -> None:
    at(clock, asked)
    erasure = filed(law, settings)
    assert fresh(erasure).due == date.fromisoformat(due)


@given(st.dates(date(2024, 1, 1), date(2060, 1, 1)), st.integers(0, 60), st.booleans())
def test_of_two_laws_the_earlier_date_counts(received: date, rested: int, extended: bool) -> None:
    dues = [Clock(received, law, rested, extended).due for law in ("gdpr", "ccpa", "both")]  # type: ignore[arg-type]
    assert dues[2] == min(dues[:2])


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_dates_do_not_depend_on_who_looks(clock: Any, settings: Any, zone: str) -> None:
    """An officer's page is in their own zone; the law's month is not."""
    clock.move_to(datetime.fromisoformat("2026-01-31T23:30:00+00:00"))
    erasure = filed("gdpr", settings)
    with timezone.override(ZoneInfo(zone)):
        erasure = decisions.extend(erasure.pk, person("officer@example.com"), REASON)
        assert erasure.due == date(2026, 4, 30)
        assert erasure.clock().extend_by == date(2026, 2, 28)
    assert fresh(erasure).due == date(2026, 4, 30)


def test_an_own_request_is_due_like_any_other(clock: Any, settings: Any, alice: User) -> None:
    settings.DATA_LAW, settings.ERASURE_GRACE_HOURS_OWN = "both", 24
    erasure = services.ask(alice, SubjectId(alice.subject))
    assert (erasure.due, erasure.confirm_by) == (date(2026, 4, 2), date(2026, 3, 16))
    assert erasure.confirmed_at is not None  # they saw it on their page


# --- rest -----------------------------------------------------------------------------------------------------------


def test_the_european_clock_rests_while_proof_is_asked_for(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("gdpr", settings)
    assert erasure.state == State.IDENTITY
    assert erasure.rests_since == date(2026, 3, 2)
    at(clock, "2026-03-08")
    assert erasure.clock().due == date(2026, 4, 8)  # it moves with each day
    erasure = decisions.check_identity(erasure.pk, bob, "called back by telephone")
    assert (erasure.rested_days, erasure.rests_since, erasure.due) == (6, None, date(2026, 4, 8))
    at(clock, "2026-03-20")
    assert fresh(erasure).clock().due == date(2026, 4, 8)


def test_the_californian_clock_never_rests(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("ccpa", settings)
    at(clock, "2026-03-30")
    erasure = decisions.check_identity(erasure.pk, bob, "called back by telephone")
    assert (erasure.rested_days, erasure.due) == (28, date(2026, 4, 16))


def test_both_laws_together_rest_up_to_the_californian_date(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("both", settings)
    at(clock, "2026-03-05")
    assert erasure.clock().due == date(2026, 4, 5)
    at(clock, "2026-03-30")
    assert decisions.check_identity(erasure.pk, bob, "called back by telephone").due == date(2026, 4, 16)


def test_rests_add_up_and_a_hold_is_none(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("gdpr", settings)
    at(clock, "2026-03-04")
    decisions.hold(erasure.pk, bob, "a court asked for it", date(2026, 3, 10))
    at(clock, "2026-03-10")
    erasure = decisions.release(erasure.pk, None)
    assert (erasure.state, erasure.rested_days, erasure.rests_since) == (State.IDENTITY, 2, date(2026, 3, 10))
    at(clock, "2026-03-13")
    erasure = decisions.check_identity(erasure.pk, bob, "called back by telephone")
    assert (erasure.rested_days, erasure.due) == (5, date(2026, 4, 7))


def test_a_clock_that_was_set_back_makes_no_negative_rest(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("gdpr", settings)
    at(clock, "2026-02-20")
    assert decisions.check_identity(erasure.pk, bob, "called back by telephone").rested_days == 0


# --- extension ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "last", "due"), [("gdpr", "2026-04-02", "2026-06-02"), ("ccpa", "2026-04-16", "2026-05-31")]
)
def test_it_is_extended_once_and_within_the_first_period(
    clock: Any, settings: Any, alice: User, bob: User, law: str, last: str, due: str
) -> None:
    settings.DATA_LAW = law
    erasure = an_erasure(alice.subject, account=alice, state="approval", law=law)
    at(clock, last)
    assert "extend" in decisions.actions_for(erasure, bob)
    extended = decisions.extend(erasure.pk, bob, REASON)
    assert extended.due == date.fromisoformat(due)
    assert Letter.objects.get(kind="request_extended").about["ground"] == REASON
    with pytest.raises(NotNow, match="once"):
        decisions.extend(erasure.pk, bob, REASON)
    late = an_erasure(bob.subject, state="approval", law=law, asked_at=erasure.asked_at)
    clock.shift(timedelta(days=1))
    assert "extend" not in decisions.actions_for(late, alice)
    with pytest.raises(NotNow, match="first period"):
        decisions.extend(late.pk, alice, REASON)
    assert fresh(late).extended_at is None
    assert Letter.objects.filter(kind="request_extended").count() == 1


def test_a_rest_makes_the_first_period_longer(clock: Any, settings: Any, bob: User) -> None:
    erasure = filed("gdpr", settings)
    at(clock, "2026-04-20")
    assert decisions.extend(erasure.pk, bob, REASON).due == date(2026, 7, 21)  # 2 June, and 49 days of rest


# --- confirmation, and who asks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "confirm_by"),
    [
        ("2026-03-02", "2026-03-16"),
        ("2026-03-06", "2026-03-20"),
        ("2026-03-07", "2026-03-20"),
        ("2026-12-31", "2027-01-14"),
    ],
)
def test_receipt_is_confirmed_within_ten_business_days(clock: Any, settings: Any, asked: str, confirm_by: str) -> None:
    at(clock, asked)
    erasure = filed("ccpa", settings)
    assert (erasure.confirm_by, erasure.confirmed_at) == (date.fromisoformat(confirm_by), None)
    assert filed("gdpr", settings).confirm_by is None


def test_the_mail_with_the_link_confirms_the_receipt(clock: Any, settings: Any) -> None:
    settings.DATA_LAW = "ccpa"
    intake.file("carol@example.com", Scope.EVERYTHING)
    erasure = Erasure.objects.get()
    assert erasure.confirmed_at is None
    identity.send_link(erasure.pk)
    assert fresh(erasure).confirmed_at == timezone.now()


def links() -> list[str]:
    return [sent.subject for sent in mail.outbox]


def work() -> None:
    """What the worker does with the links that it is rung for, as often as the sweep rings."""
    tasks.sweep(0)
    for job in ProcrastinateJob.objects.filter(task_name__endswith="send_link", status="todo"):
        identity.send_link(job.args["erasure_id"])
    ProcrastinateJob.objects.all().delete()


def test_a_reminder_after_a_day_and_three_links_at_most(clock: Any) -> None:
    intake.file("carol@example.com", Scope.EVERYTHING)
    erasure = Erasure.objects.get()
    clock.shift(timedelta(minutes=1))
    work()
    assert links() == []  # its own bell may still ring
    clock.shift(timedelta(minutes=2))
    work()
    assert len(links()) == 1
    for hours in (1, 12, 10):
        clock.shift(timedelta(hours=hours))
        work()
        assert len(links()) == 1
    clock.shift(timedelta(hours=2))
    work()
    assert len(links()) == 2
    for _ in range(3):
        clock.shift(timedelta(days=1))
        work()
    assert len(links()) == 2
    assert identity.links_left(erasure) == 1
    assert identity.send_link(erasure.pk)  # the person asked for it
    assert not identity.send_link(erasure.pk)
    assert len(links()) == 3
    assert {link.until for link in erasure.links.all()} == {erasure.links.order_by("sent_at")[0].until}


def test_after_seven_days_it_ends_unconfirmed(clock: Any) -> None:
    intake.file("carol@example.com", Scope.EVERYTHING)
    erasure = Erasure.objects.get()
    identity.send_link(erasure.pk)
    clock.shift(timedelta(days=6, hours=23))
    tasks.watch_clocks(0)
    assert fresh(erasure).state == State.IDENTITY
    clock.shift(timedelta(hours=2))
    tasks.watch_clocks(0)
    ended = fresh(erasure)
    assert (ended.state, ended.ground) == (State.UNCONFIRMED, "Nobody confirmed that they asked for this.")
    last = Event.objects.filter(object=erasure.reference).order_by("-seq")[0]
    assert last.action == "request.unconfirmed"
    assert Letter.objects.filter(kind="request_unconfirmed", to="carol@example.com").count() == 1
    assert not erasure.links.exists()


def test_a_request_that_support_wrote_down_ends_too(clock: Any, alice: User, bob: User) -> None:
    """It has no address of its own; the link goes to the account's."""
    erasure = services.hand_over(alice, SubjectId(alice.subject), bob)
    clock.shift(timedelta(minutes=3))
    work()
    clock.shift(timedelta(days=8))
    tasks.watch_clocks(0)
    assert fresh(erasure).state == State.UNCONFIRMED


def test_nobodys_time_runs_while_no_mail_goes_out(clock: Any) -> None:
    intake.file("carol@example.com", Scope.EVERYTHING)
    erasure = Erasure.objects.get()
    clock.shift(timedelta(days=8))
    tasks.watch_clocks(0)
    assert fresh(erasure).state == State.IDENTITY
    work()
    assert erasure.links.get().until == timezone.now() + timedelta(days=7)


def test_somebody_without_an_address_waits_for_an_officer(clock: Any, settings: Any) -> None:
    erasure = filed("gdpr", settings)
    clock.shift(timedelta(days=30))
    tasks.watch_clocks(0)
    tasks.sweep(0)
    assert fresh(erasure).state == State.IDENTITY
    assert mail.outbox == []


def test_whoever_proves_it_is_not_reminded(clock: Any) -> None:
    intake.file("carol@example.com", Scope.EVERYTHING)
    erasure = Erasure.objects.get()
    identity.send_link(erasure.pk)
    token = mail.outbox[0].body.split("/requests/")[1].split()[0].strip("/").split("/")[-1]
    assert identity.confirm(token).state == State.APPROVAL
    clock.shift(timedelta(days=9))
    work()
    tasks.watch_clocks(0)
    assert len(links()) == 1
    assert fresh(erasure).state == State.APPROVAL


# --- holds ----------------------------------------------------------------------------------------------------------


def test_a_hold_ends_on_its_day(clock: Any, bob: User) -> None:
    erasure = an_erasure("u-held", state="waiting", identified_how="officer", approved_at=timezone.now())
    decisions.hold(erasure.pk, bob, "a court asked for it", date(2026, 3, 10))
    at(clock, "2026-03-09")
    tasks.watch_clocks(0)
    assert fresh(erasure).state == State.ON_HOLD
    at(clock, "2026-03-10")
    tasks.watch_clocks(0)
    after = fresh(erasure)
    assert (after.state, after.held_until, after.ground) == (State.WAITING, None, "")


def test_asking_anew_does_not_end_a_hold(clock: Any, alice: User, bob: User, settings: Any) -> None:
    settings.ERASURE_GRACE_HOURS_OWN = 24
    subject = SubjectId(alice.subject)
    first = services.ask(alice, subject)
    decisions.hold(first.pk, bob, "a court asked for it", date(2026, 3, 20))
    decisions.cancel(first.pk, decisions.officer(alice))
    for scope, agent in ((Scope.EVERYTHING, ""), (Scope.ASSISTANT, "cook")):
        erasure = services.ask(alice, subject, scope=scope, agent=agent)
        assert (erasure.state, erasure.held_until, erasure.reviewer) == (State.ON_HOLD, date(2026, 3, 20), bob)
        assert engine.run(erasure).state == State.ON_HOLD
    at(clock, "2026-03-20")
    tasks.watch_clocks(0)
    assert {erasure.state for erasure in Erasure.objects.exclude(pk=first.pk)} == {State.WAITING}


def test_an_officer_can_end_a_hold_that_came_from_another_request(clock: Any, alice: User, bob: User) -> None:
    subject = SubjectId(alice.subject)
    first = an_erasure(subject, account=alice, state="waiting")
    decisions.hold(first.pk, bob, "a court asked for it", date(2026, 3, 20))
    second = services.ask(alice, subject, scope=Scope.ASSISTANT, agent="cook")
    assert second.state == State.ON_HOLD
    assert decisions.release(second.pk, bob).state == State.WAITING
    assert decisions.release(first.pk, bob).state == State.WAITING


# --- alerts ---------------------------------------------------------------------------------------------------------


def alerts() -> list[dict[str, str]]:
    return [letter.about for letter in Letter.objects.filter(kind="request_dates").order_by("written_at")]


@pytest.mark.parametrize("state", ["approval", "waiting", "on-hold", "retrying", "needs-attention", "watching"])
def test_privacy_is_alerted_to_dates_that_are_near_once_a_day(clock: Any, settings: Any, state: str) -> None:
    settings.PRIVACY_CONTACT = "privacy@example.com"
    an_erasure("u-near", state=state)
    at(clock, "2026-03-25")
    tasks.watch_clocks(0)
    assert alerts() == []
    at(clock, "2026-03-27")
    for _ in range(3):
        tasks.watch_clocks(0)
    assert [(about["late"], about["soon"]) for about in alerts()] == [("0", "1")]
    at(clock, "2026-04-03")
    tasks.watch_clocks(0)
    assert [(about["late"], about["soon"]) for about in alerts()] == [("0", "1"), ("1", "0")]


def test_the_queues_date_moves_while_the_clock_rests(clock: Any, settings: Any) -> None:
    settings.PRIVACY_CONTACT = "privacy@example.com"
    resting, running = filed("gdpr", settings), filed("ccpa", settings)
    Erasure.objects.update(confirmed_at=timezone.now())
    at(clock, "2026-03-30")
    tasks.watch_clocks(0)
    assert alerts() == []
    assert (fresh(resting).due, fresh(running).due) == (date(2026, 4, 30), date(2026, 4, 16))
    at(clock, "2026-04-09")
    tasks.watch_clocks(0)
    assert [(about["late"], about["soon"]) for about in alerts()] == [("0", "1")]


def test_nobody_is_alerted_to_what_has_ended(clock: Any, settings: Any) -> None:
    settings.PRIVACY_CONTACT = "privacy@example.com"
    for state in ("completed", "refused", "cancelled", "unconfirmed"):
        an_erasure("u-done", state=state)
    at(clock, "2026-05-01")
    tasks.watch_clocks(0)
    assert alerts() == []


def test_privacy_is_alerted_to_receipts_that_nobody_confirmed(clock: Any, settings: Any, bob: User) -> None:
    settings.PRIVACY_CONTACT = "privacy@example.com"
    erasure = filed("ccpa", settings)
    at(clock, "2026-03-08")
    tasks.watch_clocks(0)
    assert alerts() == []
    at(clock, "2026-03-10")
    tasks.watch_clocks(0)
    assert [about["silent"] for about in alerts()] == ["1"]
    decisions.confirm_receipt(erasure.pk, bob)
    at(clock, "2026-03-11")
    tasks.watch_clocks(0)
    assert len(alerts()) == 1


# --- pruning --------------------------------------------------------------------------------------------------------


def test_requests_are_pruned_to_counts_after_two_years(clock: Any, alice: User) -> None:
    at(clock, "2026-01-31")
    for state in ("completed", "refused", "cancelled"):
        an_erasure("u-old", state=state, account=alice)
    an_erasure("u-old-2", state="refused", duplicate_of=Erasure.objects.filter(state="completed").get())
    still_open = an_erasure("u-open", state="approval")
    at(clock, "2026-02-28")
    newer = an_erasure("u-new", state="completed")
    at(clock, "2028-01-31")
    assert pruning.prune(24) == 0
    at(clock, "2028-02-01")
    tasks.prune(0)
    assert set(Erasure.objects.values_list("pk", flat=True)) == {newer.pk, still_open.pk}
    assert sorted(PrunedCount.objects.values_list("month", "channel", "state", "count")) == [
        (date(2026, 1, 1), "self", "cancelled", 1),
        (date(2026, 1, 1), "self", "completed", 1),
        (date(2026, 1, 1), "self", "refused", 2),
    ]
    assert [event.details for event in Event.objects.filter(action="request.pruned")] == [{"count": 4}]
    assert pruning.prune(24) == 0
    assert Event.objects.filter(action="request.pruned").count() == 1
    at(clock, "2028-02-29")
    assert pruning.prune(24) == 0
    at(clock, "2028-03-01")
    assert pruning.prune(24) == 1
    assert PrunedCount.objects.count() == 4
