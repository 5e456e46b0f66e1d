"""Waiting work and unsent mail: what names exactly this person goes, and nothing that only resembles it."""

import json
from typing import Any

import pytest
from django.db import connection

from memoryportal.accounts.waiting import Letter
from memoryportal.erasure.portal_places import PLACES, MailKeeper, QueueKeeper
from memoryportal.memory import SubjectId
from memoryportal.memory.places import Whose
from tests.hostile import APART, TWINS

pytestmark = pytest.mark.django_db
KEPT_APART = sorted({value for group in (*APART, *TWINS) for value in group})
queue, mail = QueueKeeper(), MailKeeper()


def job(args: Any, lock: str | None = None, once: str | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock, queueing_lock) "
            "VALUES ('default', 'some.task', %s, %s, %s) RETURNING id",
            [json.dumps(args), lock, once],
        )
        number = int(cursor.fetchone()[0])
        cursor.execute("INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'deferred')", [number])
        return number


def left() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM procrastinate_jobs")
        return {row[0] for row in cursor.fetchall()}


def whose(*subjects: str, **about: Any) -> Whose:
    return Whose(tuple(map(SubjectId, subjects)), **about)


def test_jobs_that_name_the_person_go_with_their_events() -> None:
    before = left()
    gone = [
        job({"subject": "alice"}),
        job({"deep": [{"list": ["x", "alice"]}]}),
        job(["alice"]),
        job({}, lock="alice"),
        job({}, once="export:alice"),
        job({"what": "export:u_alice"}),
    ]
    kept = {job({"subject": "alice2"}), job({"alice": 1}), job({"subject": "xalice"}), job({}), job({"n": 7}, lock="x")}
    own = whose("alice", "u_alice")
    assert queue.count(own) == queue.erase(own) == len(gone)
    assert queue.count(own) == 0
    assert left() - before == kept
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_events WHERE job_id = ANY(%s)", [gone])
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("subject", KEPT_APART)
def test_hostile_ids_take_no_job_of_their_neighbours(subject: str) -> None:
    jobs = {value: job({"subject": value}, once=f"export:{value}") for value in KEPT_APART if ":" not in value}
    number = jobs.pop(subject, None)
    before = left()
    assert queue.erase(whose(subject)) == (number is not None)
    assert left() == before - {number}


def test_for_one_assistant_the_queue_is_left_alone() -> None:
    assert not queue.concerns(whose("alice", agent="cook"))
    assert queue.concerns(whose("alice"))


def test_letters_to_the_account_go_with_it() -> None:
    for to in ("Alice@example.com", "second@example.com", "bob@example.com", "alice@example.com.evil.example"):
        Letter.objects.create(kind="link_made", to=to)
    Letter.objects.create(kind="request_delayed", to="alice@example.com")  # she has to know
    goes = whose("alice", account=1, addresses=("alice@example.com", "Second@example.com"))
    assert mail.concerns(goes)
    assert (mail.count(goes), mail.erase(goes), mail.count(goes)) == (2, 2, 0)
    left = Letter.objects.exclude(kind="request_delayed").values_list("to", flat=True)
    assert set(left) == {"bob@example.com", "alice@example.com.evil.example"}
    assert Letter.objects.filter(kind="request_delayed").count() == 1


@pytest.mark.parametrize("about", [{}, {"addresses": ("alice@example.com",)}, {"account": 1}])
def test_letters_stay_where_the_account_stays(about: dict[str, Any]) -> None:
    Letter.objects.create(kind="link_made", to="alice@example.com")
    assert not mail.concerns(whose("alice", **about))
    assert mail.erase(whose("alice", **about)) == 0
    assert Letter.objects.count() == 1


def test_both_are_places() -> None:
    assert [(place.key, type(place.keeper)) for place in PLACES] == [("queue", QueueKeeper), ("mail", MailKeeper)]
