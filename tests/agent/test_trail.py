"""What assistants correct and delete leaves events, and nothing of it happens when the trail takes none."""

import pytest
from django.test import Client

from memoryportal.accounts import links
from memoryportal.agent.models import ServiceKey
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId
from tests.accounts.helpers import person, trail_shut

from .calling import Assistant, code

pytestmark = pytest.mark.django_db


def newest() -> int:
    return Event.objects.order_by("-seq").values_list("seq", flat=True).first() or 0


def since(seq: int) -> list[Event]:
    return list(Event.objects.filter(seq__gt=seq).order_by("seq"))


def test_corrections_and_deletions_leave_two_events_each(alice: Assistant, service_key: ServiceKey) -> None:
    memory_id, before = alice.add("I am vegetarian."), newest()
    alice.call("patch", f"/memories/{memory_id}", {"text": "I am vegan."})
    alice.call("delete", f"/memories/{memory_id}")
    events = since(before)
    assert [event.action for event in events] == [
        *("memory.correct-asked", "memory.corrected", "memory.delete-asked", "memory.deleted")
    ]
    assert {(event.actor, event.role) for event in events} == {(f"key:{service_key.prefix}", "assistant")}
    assert {event.object for event in events} == {memory_id}
    assert events[-1].details["memories"] == 1
    assert alice.subject not in str([(event.subject, event.details) for event in events])


def test_what_failed_is_said_to_have_failed(alice: Assistant, bob: Assistant) -> None:
    memory_id, before = alice.add("I am vegetarian."), newest()
    bob.call("delete", f"/memories/{memory_id}")
    bob.call("delete", "/memories/no-id")
    assert [(event.action, event.details) for event in since(before)] == [
        ("memory.delete-asked", {}),
        ("memory.delete-failed", {"state": "MemoryNotFound"}),
    ]


def test_reading_and_adding_leave_none(alice: Assistant) -> None:
    before = newest()
    alice.add("I am vegetarian.")
    alice.texts()
    alice.call("post", "/memories/search", {"query": "food"})
    assert since(before) == []


@pytest.mark.django_db(transaction=True)
def test_nothing_is_changed_that_cannot_be_recorded(alice: Assistant) -> None:
    memory_id = alice.add("I am vegetarian.")
    with trail_shut():
        answers = [
            alice.call("patch", f"/memories/{memory_id}", {"text": "I am vegan."}, Idempotency_Key="one"),
            alice.call("delete", f"/memories/{memory_id}", Idempotency_Key="two"),
        ]
    assert [code(answer) for answer in answers] == ["not-recorded", "not-recorded"]
    assert alice.texts() == ["I am vegetarian."]
    again = alice.call("delete", f"/memories/{memory_id}", Idempotency_Key="two")
    assert again.status_code == 200, "the key is free again: nothing was done"


def test_the_person_reads_who_it_was(alice: Assistant, client: Client) -> None:
    account = person("alice@example.com")
    links.link(account, SubjectId(alice.subject), reason="ticket 12")
    alice.call("delete", f"/memories/{alice.add('I am vegetarian.')}")
    client.force_login(account)
    text = client.get("/activity/").content.decode()
    assert "Deleted: 1 memory" in text
    assert "By an assistant" in text
