"""A deletion request that a host files: written down once, approved by people. The gateway's own rows go with it."""

import pytest
from django.utils import timezone

from memoryportal.agent.models import Call, ServiceKey
from memoryportal.agent.places import PLACE
from memoryportal.audit.models import Event
from memoryportal.erasure import engine
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import SubjectId
from memoryportal.memory.places import PLACES, Whose
from tests.erasure.making import an_erasure

from .calling import Assistant, call, code, somebody

pytestmark = pytest.mark.django_db


def test_a_request_is_filed_once(key: str, service_key: ServiceKey) -> None:
    subject = somebody("alice")
    first, second = (call("post", "/erasures", key, {"subject": subject}) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    erasure = Erasure.objects.get()
    assert first.json() == {"reference": erasure.reference, "state": erasure.state}
    assert (erasure.channel, erasure.subjects) == (Channel.HOST, [subject])
    event = Event.objects.filter(object=erasure.reference).earliest("seq")
    assert (event.actor, event.role) == (f"key:{service_key.prefix}", "host")


def test_nothing_is_erased_before_people_have_approved_it(key: str, alice: Assistant) -> None:
    alice.add("I am vegetarian.")
    answer = call("post", "/erasures", key, {"subject": alice.subject})
    assert answer.json()["state"] == "approval"
    assert alice.texts() == ["I am vegetarian."]


def test_the_same_again_under_one_key(key: str) -> None:
    bodies = [{"subject": "a"}, {"subject": "a"}]
    answers = [call("post", "/erasures", key, body, Idempotency_Key="one") for body in bodies]
    assert answers[0].json() == answers[1].json()
    assert Erasure.objects.count() == 1


@pytest.mark.parametrize("subject", ["*", "", "a b", "a,b", "x" * 129])
def test_ids_that_are_refused(key: str, subject: str) -> None:
    answer = call("post", "/erasures", key, {"subject": subject})
    assert answer.status_code == 422
    assert not Erasure.objects.exists()


def test_an_assistant_files_none(alice: Assistant) -> None:
    assert code(alice.call("post", "/erasures", {"subject": alice.subject})) == "key-required"
    assert not Erasure.objects.exists()


# --- the rows that name a person -------------------------------------------------------------------------------------


def test_an_erasure_empties_them(key: str, alice: Assistant, bob: Assistant) -> None:
    planner = Assistant(key, alice.subject, "travel_planner")
    for number, who in enumerate((alice, alice, planner, bob)):
        who.call("post", "/memories", {"text": "A fact.", "infer": False}, Idempotency_Key=f"k{number}")
    keeper, whole = PLACE.keeper, Whose((SubjectId(alice.subject),))
    one = Whose((SubjectId(alice.subject),), agent="travel_planner")
    assert keeper is not None
    assert PLACES[PLACE.key] is PLACE
    assert keeper.concerns(whole)
    assert (keeper.count(one), keeper.count(whole)) == (1, 3)
    assert keeper.erase(one) == 1
    assert keeper.erase(whole) == 2
    assert (keeper.count(whole), keeper.erase(whole)) == (0, 0)
    assert list(Call.objects.values_list("subject", flat=True)) == [bob.subject]


@pytest.mark.django_db(transaction=True)
def test_a_token_for_somebody_who_was_erased(alice: Assistant) -> None:
    """It is still good for ten minutes, and finds nothing; nor can it begin to remember again."""
    told = {"text": "I am vegetarian.", "infer": False}
    memory_id = alice.call("post", "/memories", told, Idempotency_Key="one").json()["memories"][0]["id"]
    erasure = engine.run(an_erasure(alice.subject, state="waiting", grace_until=timezone.now()))
    assert erasure.state == State.COMPLETED
    assert {step.place: (step.removed, step.left) for step in erasure.steps.all()}["calls"] == (1, 0)
    assert alice.call("get", "/memories").json() == {"memories": [], "next": None, "total": 0}
    assert code(alice.call("get", f"/memories/{memory_id}")) == "not-found"
    assert code(alice.call("post", "/memories", told)) == "writes-paused"
    assert code(alice.call("post", "/memories", told, Idempotency_Key="one")) == "writes-paused"
    assert alice.memory.count() == 0
