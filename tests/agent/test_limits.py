"""How much a key may ask for: requests in a minute, and different people in an hour."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import connection

from memoryportal.accounts import letters
from memoryportal.accounts.waiting import Letter
from memoryportal.agent import limits, tasks
from memoryportal.agent.models import SeenSubject, ServiceKey, SubjectHour, Window
from memoryportal.agent.problems import Problem
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId

from .calling import Assistant, call, code, make_key

pytestmark = pytest.mark.django_db
AGENT = "kitchen_helper"


def ask(key: str, subject: str) -> Any:
    return call("post", "/tokens", key, {"subject": subject, "agent": AGENT})


def in_one_minute(act: Callable[[], None]) -> None:
    """Counters begin anew with each minute of the database's clock: an act that fell into two is done again."""
    for _ in range(3):
        Window.objects.all().delete()
        act()
        if len(set(Window.objects.values_list("minute", flat=True))) == 1:
            return
    raise AssertionError("three acts, each over the end of a minute")


def test_requests_for_one_person(key: str, alice: Assistant, bob: Assistant, settings: Any) -> None:
    settings.GATEWAY_SUBJECT_PER_MINUTE = 3
    answers: list[Any] = []

    def act() -> None:
        answers[:] = [alice.call("get", "/memories") for _ in range(5)] + [bob.call("get", "/memories")]

    in_one_minute(act)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 200]
    assert code(answers[4]) == "too-many-requests"
    assert 1 <= int(answers[4].headers["Retry-After"]) <= 60


def test_another_key_has_limits_of_its_own(alice: Assistant, settings: Any) -> None:
    settings.GATEWAY_SUBJECT_PER_MINUTE = 2
    other = Assistant(make_key()[1], alice.subject)
    answers: list[int] = []

    def act() -> None:
        answers[:] = [who.call("get", "/memories").status_code for who in (alice, alice, alice, other)]

    in_one_minute(act)
    assert answers == [200, 200, 429, 200]


def test_requests_with_one_key(key: str, settings: Any) -> None:
    settings.GATEWAY_KEY_PER_MINUTE = 3
    answers: list[int] = []

    def act() -> None:
        answers[:] = [ask(key, f"somebody-{number}").status_code for number in range(5)]

    in_one_minute(act)
    assert answers == [201, 201, 201, 429, 429]


def test_one_person_s_assistant_that_runs_wild_stops_nobody_else_s(
    key: str, alice: Assistant, bob: Assistant, settings: Any
) -> None:
    settings.GATEWAY_SUBJECT_PER_MINUTE, settings.GATEWAY_KEY_PER_MINUTE = 3, 6
    wild: list[int] = []
    others: list[int] = []

    def act() -> None:
        wild[:] = [alice.call("get", "/memories").status_code for _ in range(20)]
        others[:] = [bob.call("get", "/memories").status_code, ask(key, "carol").status_code]

    in_one_minute(act)
    assert wild == [200] * 3 + [429] * 17
    assert others == [200, 201]


def test_nothing_is_written_beyond_the_limit(alice: Assistant, settings: Any) -> None:
    settings.GATEWAY_SUBJECT_PER_MINUTE = 1

    def act() -> None:
        alice.memory.erase()
        for number in range(3):
            alice.call("post", "/memories", {"text": f"Fact {number}.", "infer": False})

    in_one_minute(act)
    assert alice.memory.count() == 1


def test_who_has_no_good_token_uses_up_nobody_s(alice: Assistant, service_key: ServiceKey) -> None:
    Window.objects.all().delete()
    call("get", "/memories", alice.token[:-3])
    call("post", "/tokens", f"mpk_{service_key.prefix}_{'a' * 43}", {"subject": "a", "agent": "b"})
    assert not Window.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_every_request_counts_when_many_come_at_once(service_key: ServiceKey, settings: Any) -> None:
    settings.GATEWAY_KEY_PER_MINUTE = 10
    passed: list[bool] = []

    def visit() -> None:
        try:
            for number in range(5):
                try:
                    limits.visit(service_key.pk, SubjectId(f"somebody-{number}"))
                    passed.append(True)
                except Problem:
                    passed.append(False)
        finally:
            connection.close()

    def act() -> None:
        passed.clear()
        threads = [threading.Thread(target=visit) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_one_minute(act)
    assert (len(passed), passed.count(True)) == (30, 10)


def test_the_counters_need_no_log(service_key: ServiceKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'agent_window'")
        assert cursor.fetchone() == ("u",)


# --- different people in one hour ------------------------------------------------------------------------------------


@pytest.fixture
def few(db: None) -> tuple[ServiceKey, str]:
    """A key for two people an hour."""
    return make_key(subjects_per_hour=2)


def refusals() -> list[Event]:
    return list(Event.objects.filter(action="key.refused"))


def test_too_many_people(few: tuple[ServiceKey, str]) -> None:
    row, key = few
    assert [ask(key, who).status_code for who in ("a", "b", "a", "c", "b", "c", "d")] == [
        201,
        201,
        201,
        429,
        201,
        429,
        429,
    ]
    answer = ask(key, "e")
    assert code(answer) == "too-many-subjects"
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert SubjectHour.objects.get(key=row).subjects == 2
    assert SeenSubject.objects.filter(key=row).count() == 2


def test_privacy_is_told_once_and_so_is_the_trail(few: tuple[ServiceKey, str]) -> None:
    row, key = few
    for who in "abcdefg":
        ask(key, who)
    assert [(event.role, event.object, event.details) for event in refusals()] == [
        ("system", f"key:{row.prefix}", {"kind": "subjects", "expected": 2})
    ]
    letter = Letter.objects.get(kind="key_refused")
    letters.deliver(str(letter.pk))
    sent = mail.outbox[-1]
    assert sent.to == [django_settings.PRIVACY_CONTACT]
    assert row.prefix in sent.body
    assert "2 different people" in sent.body


def test_a_new_hour_begins_anew(few: tuple[ServiceKey, str]) -> None:
    _, key = few
    for who in "abc":
        ask(key, who)
    SubjectHour.objects.update(hour=1)
    SeenSubject.objects.update(hour=1)
    assert ask(key, "c").status_code == 201


def test_deletion_requests_count_too(few: tuple[ServiceKey, str]) -> None:
    _, key = few
    answers = [call("post", "/erasures", key, {"subject": f"somebody-{number}"}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]


def test_what_is_kept_names_nobody(few: tuple[ServiceKey, str]) -> None:
    _, key = few
    assistant = Assistant(key, "somebody-special")
    assistant.call("get", "/memories")
    kept = str([*SeenSubject.objects.values(), *Window.objects.values(), *SubjectHour.objects.values()])
    assert "somebody" not in kept


def test_the_sweep_takes_counters_that_are_over(few: tuple[ServiceKey, str]) -> None:
    row, key = few
    Assistant(key, "a").call("get", "/memories")
    Window.objects.create(holder="k:old", minute=1, requests=5)
    SeenSubject.objects.create(key=row, hour=1, digest="x")
    SubjectHour.objects.create(key=row, hour=1, subjects=5)
    tasks.sweep(0)
    assert not Window.objects.filter(minute=1).exists()
    assert (SeenSubject.objects.count(), SubjectHour.objects.count()) == (1, 1)
    assert Window.objects.exists()
