"""A write that is sent twice happens once; what is kept for that holds no text, and goes after a day."""

import hashlib
import json
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.utils import timezone

from memoryportal.agent import tasks
from memoryportal.agent.idempotency import Outcome, Writer, once
from memoryportal.agent.models import Call
from memoryportal.agent.problems import Problem
from memoryportal.memory import NotConfirmed, ScopedMemory, StoreUnavailable, SubjectId, controls

from .calling import Assistant, call, code, make_key

pytestmark = pytest.mark.django_db
TELL = {"text": "I am vegetarian.", "infer": False}


def add(assistant: Assistant, name: str = "one", body: Any = None) -> Any:
    return assistant.call("post", "/memories", body or TELL, Idempotency_Key=name)


def test_the_same_again_is_stored_once(alice: Assistant) -> None:
    first, second = add(alice), add(alice)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == {"memories": [{"id": first.json()["memories"][0]["id"]}], "stopped": 0}
    assert alice.texts() == ["I am vegetarian."]


def test_without_a_key_it_is_stored_twice(alice: Assistant) -> None:
    alice.add("I am vegetarian.")
    alice.add("I am vegetarian.")
    assert alice.memory.count() == 2


def test_another_key_is_another_request(alice: Assistant) -> None:
    add(alice, "one")
    add(alice, "two")
    assert alice.memory.count() == 2


def test_another_body_under_the_same_key(alice: Assistant) -> None:
    add(alice)
    answer = add(alice, body={**TELL, "text": "I eat meat."})
    assert code(answer) == "idempotency-mismatch"
    assert alice.texts() == ["I am vegetarian."]


def test_each_person_assistant_and_host_has_keys_of_their_own(key: str, alice: Assistant, bob: Assistant) -> None:
    add(alice)
    assert add(bob).status_code == 201
    assert bob.texts() == ["I am vegetarian."]
    other_host = Assistant(make_key()[1], alice.subject)
    assert add(other_host).status_code == 201
    assert alice.memory.count() == 2
    planner = Assistant(key, alice.subject, "travel_planner")
    assert code(add(planner)) == "idempotency-mismatch", "nor is another assistant shown what this one stored"
    conversation = Assistant(key, alice.subject, run="monday")
    assert code(add(conversation)) == "idempotency-mismatch"


def test_corrections_and_deletions(alice: Assistant) -> None:
    memory_id = alice.add("I am vegetarian.")
    path = f"/memories/{memory_id}"
    first = alice.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="one")
    alice.memory.update(memory_id, "I am a person who eats fruit.")
    again = alice.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="one")
    assert (first.status_code, first.json()["text"]) == (200, "I am vegan.")
    assert (again.status_code, again.json()) == (200, {"id": memory_id})
    assert alice.texts() == ["I am a person who eats fruit."], "it was not corrected a second time"
    gone = alice.call("delete", path, Idempotency_Key="one")
    assert alice.call("delete", path, Idempotency_Key="one").json() == gone.json()
    assert code(alice.call("delete", path, Idempotency_Key="two")) == "not-found"
    assert gone.json()["removed"]["memories"] == 1


def test_the_same_key_for_another_memory(alice: Assistant) -> None:
    one, two = alice.add("One."), alice.add("Two.")
    alice.call("delete", f"/memories/{one}", Idempotency_Key="k")
    assert code(alice.call("delete", f"/memories/{two}", Idempotency_Key="k")) == "idempotency-mismatch"
    assert alice.texts() == ["Two."]


def test_what_was_refused_can_be_sent_again(alice: Assistant) -> None:
    assert code(add(alice, body={"text": "  ", "infer": False})) == "refused"
    assert not Call.objects.exists()
    assert add(alice).status_code == 201


def test_a_memory_that_was_deleted_meanwhile_does_not_come_back(alice: Assistant) -> None:
    memory_id = add(alice).json()["memories"][0]["id"]
    alice.memory.delete(memory_id)
    again = add(alice)
    assert (again.status_code, again.json()["memories"]) == (201, [{"id": memory_id}])
    assert alice.memory.count() == 0


def test_a_repeat_does_not_say_what_the_memory_says_by_now(key: str, alice: Assistant) -> None:
    writer = Assistant(key, alice.subject, rights=["write"])
    for assistant in (alice, writer):
        memory_id = add(assistant, "same").json()["memories"][0]["id"]
        path = f"/memories/{memory_id}"
        assistant.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="same")
        ScopedMemory.for_person(SubjectId(alice.subject)).update(memory_id, "I have a secret illness.")
        again = [add(assistant, "same"), assistant.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="same")]
        assert [answer.status_code for answer in again] == [201, 200]
        assert all("illness" not in answer.content.decode() for answer in again)
        assert alice.memory.for_person(SubjectId(alice.subject)).handed(memory_id) == []
        Call.objects.all().delete()


@pytest.mark.parametrize("switch", [controls.restrict, controls.pause])
def test_a_lost_answer_is_given_again_whatever_the_person_switched_meanwhile(alice: Assistant, switch: Any) -> None:
    memory_id = add(alice).json()["memories"][0]["id"]
    path = f"/memories/{memory_id}"
    alice.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="two")
    switch(SubjectId(alice.subject))
    again = add(alice), alice.call("patch", path, {"text": "I am vegan."}, Idempotency_Key="two")
    assert [answer.status_code for answer in again] == [201, 200]
    assert (again[0].json()["memories"], again[1].json()) == ([{"id": memory_id}], {"id": memory_id})
    person = ScopedMemory.for_person(SubjectId(alice.subject))
    assert [item.text for item in person.walk()] == ["I am vegan."]


@pytest.mark.parametrize("name", ["", "a b", "\u00e4", "a" * 129, "\x7f", "a\tb"])
def test_keys_that_are_none(alice: Assistant, name: str) -> None:
    assert code(add(alice, name)) == "bad-idempotency-key"
    assert alice.memory.count() == 0


def test_nothing_kept_can_be_read_back(alice: Assistant) -> None:
    add(alice, "the-name-of-it")
    row = Call.objects.values().get()
    kept = json.dumps(row, default=str)
    for text in ("vegetarian", "the-name-of-it"):
        assert text not in kept
    plain = hashlib.sha256(json.dumps(TELL).encode()).hexdigest()
    assert plain not in kept, "a plain hash of a short text could be guessed"
    assert (row["status"], len(row["ids"]), row["route"]) == (200, 1, "add")


# --- time ------------------------------------------------------------------------------------------------------------


def test_after_a_day_the_key_is_free(alice: Assistant) -> None:
    add(alice)
    Call.objects.update(created_at=timezone.now() - timedelta(hours=24, minutes=1))
    assert add(alice).status_code == 201
    assert alice.memory.count() == 2


def test_the_sweep_takes_what_is_over(alice: Assistant) -> None:
    add(alice, "old")
    Call.objects.update(created_at=timezone.now() - timedelta(hours=24, minutes=1))
    add(alice, "new")
    tasks.sweep(0)
    assert Call.objects.count() == 1
    add(alice, "new")
    assert alice.memory.count() == 2


# --- two at once, and ends that nobody saw ---------------------------------------------------------------------------


def begun(alice: Assistant, ago: timedelta = timedelta(0)) -> None:
    """A request that a process began and has not ended."""
    add(alice)
    Call.objects.update(status=None, ids=[], created_at=timezone.now() - ago)


def test_while_it_is_carried_out(alice: Assistant) -> None:
    begun(alice)
    answer = add(alice)
    assert code(answer) == "in-progress"
    assert answer.headers["Retry-After"] == "1"
    assert alice.memory.count() == 1


def test_a_process_that_died_leaves_it_unconfirmed(alice: Assistant) -> None:
    begun(alice, timedelta(minutes=6))
    assert code(add(alice)) == "unconfirmed"
    assert alice.memory.count() == 1, "what may have been done is not done again"


def act_once(assistant: Assistant, act: Any) -> Outcome:
    """`once` as an endpoint calls it."""
    from django.test import RequestFactory

    request = RequestFactory().post("/api/v1/memories", TELL, "application/json", headers={"Idempotency-Key": "one"})
    key = Call._meta.get_field("key").related_model.objects.get()
    return once(request, Writer(key.pk, SubjectId(assistant.subject), "add", assistant.agent), act)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (StoreUnavailable("gone"), "done"),
        (Problem("refused"), "done"),
        (NotConfirmed("perhaps"), "unconfirmed"),
        (KeyError("a fault of ours"), "unconfirmed"),
    ],
)
def test_after_a_failure(alice: Assistant, error: Exception, again: str) -> None:
    def fail() -> Outcome:
        raise error

    with pytest.raises(type(error)):
        act_once(alice, fail)
    if again == "done":
        assert act_once(alice, lambda: Outcome(["x"])) == Outcome(["x"])
    else:
        with pytest.raises(Problem, match="unconfirmed"):
            act_once(alice, lambda: Outcome(["x"]))


@pytest.mark.django_db(transaction=True)
def test_what_was_done_is_said_to_be_done_when_that_cannot_be_noted(alice: Assistant) -> None:
    """The portal's login may write no notes any more while the memory is written: it was written all the same."""
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as owner:

        def act() -> Outcome:
            owner.execute("REVOKE UPDATE ON agent_call FROM memoryportal_app")
            return Outcome(["x"])

        try:
            assert act_once(alice, act) == Outcome(["x"])
        finally:
            owner.execute("GRANT UPDATE ON agent_call TO memoryportal_app")
    with pytest.raises(Problem, match="in-progress"):
        act_once(alice, lambda: Outcome(["y"]))


@pytest.mark.django_db(transaction=True)
def test_duplicates_at_once_are_stored_once(alice: Assistant) -> None:
    answers: list[int] = []
    together = threading.Barrier(6)

    def send() -> None:
        together.wait()
        try:
            answers.append(add(alice).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alice.memory.count() == 1
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert len(answers) == 6


@pytest.mark.django_db(transaction=True)
def test_the_note_is_committed_before_the_memory_is_written(alice: Assistant) -> None:
    """Read from a connection of its own: a process that dies in between must have left it."""
    seen: list[Any] = []

    def act() -> Outcome:
        with psycopg.connect(settings.MEMORY_OWNER_URL) as other:
            seen.append(other.execute("SELECT status FROM agent_call").fetchall())
        return Outcome(["x"])

    act_once(alice, act)
    assert seen == [[(None,)]]


def test_time_that_is_set_back_opens_nothing(alice: Assistant) -> None:
    add(alice)
    with time_machine.travel(timezone.now() - timedelta(hours=1)):
        assert code(call("get", "/memories", alice.token)) == "token-invalid"
