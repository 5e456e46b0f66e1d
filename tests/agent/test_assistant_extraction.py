"""After a deletion nothing that is sent to a language model or an embedder holds what was deleted.

mem0 sends the recent messages of a conversation, and what it knows already, along with every extraction. So everything
is read here that a server is sent after three things were told and one of them was taken away, in every way there is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from memoryportal.erasure import engine, services
from memoryportal.erasure.states import State
from memoryportal.memory import Filters, Item, ScopedMemory, controls

from .llm_server import LlmServer
from .talking import NAME, PAGE, Talker, words

pytestmark = pytest.mark.django_db
ENTITY = "Quillwortina"
HEALTH, HOME, PET = (
    f"My doctor {ENTITY} says that I have zymosis.",
    "I live in a street called Larkspur.",
    "I keep a parrot called Heliotrope.",
)
TRACES = (ENTITY, ENTITY.lower(), "zymosis", "Zymosis")
OTHERS = ("Larkspur", "Heliotrope")


def _names(text: str) -> list[tuple[str, str]]:
    """Stands in for the language pack that mem0 notes names with, which is not installed."""
    return [("PROPER", word.strip(".,")) for word in text.split() if word[0].isupper() and len(word) > 3]


@pytest.fixture(autouse=True)
def _noting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mem0.memory.main.extract_entities", _names)
    monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [_names(text) for text in texts])


@dataclass
class Told:
    """Three things that were told in one conversation."""

    talker: Talker
    model: LlmServer
    items: dict[str, Item]

    @property
    def health(self) -> Item:
        return self.items[HEALTH]

    def tells(self, text: str) -> Any:
        """One message; the model finds exactly that in it, and repeats all that it reads in its answer."""
        self.model.facts = lambda prompt: [{"text": text, "attributed_to": "user"}]
        return self.talker.says(text)

    def goes_on(self) -> str:
        """More is told, here and in a new session, also about the same matters; everything that is sent meanwhile."""
        since = len(self.model.asked)
        self.tells("I have been to the market.")
        self.tells("What did the doctor say about my health, and how is the parrot?")
        elsewhere = Client()
        elsewhere.force_login(self.talker.user)
        elsewhere.post(PAGE, {"message": "Who is my doctor, and what do I have?"})
        assistant = ScopedMemory(self.talker.memory.subject, agent=NAME)
        assistant.search("what does the doctor say?")
        assistant.add("The doctor asks after my health.")
        ScopedMemory(self.talker.memory.subject).add("The doctor asks after my health once more.")
        kinds = {one.kind for one in self.model.asked[since:]}
        assert kinds == {"chat", "extraction", "embedding"}
        return "\n".join(self.model.sent(since=since))


@pytest.fixture
def told(alice_talks: Talker, model: LlmServer, settings: Any) -> Told:
    settings.SEARCH_FLOOR = 0.0
    told = Told(alice_talks, model, {})
    for text in (HEALTH, HOME, PET):
        told.tells(text)
    told.items = {item.text: item for item in alice_talks.memory.walk()}
    assert set(told.items) == {HEALTH, HOME, PET}
    assert ENTITY in {entity.text for entity in alice_talks.memory.entities()}
    for kind in ("chat", "extraction", "embedding"):
        assert any("zymosis" in body for body in model.sent(kind)), f"{kind}: it could be found if it were sent"
    assert "zymosis" in " ".join(message.text for message in alice_talks.buffered())
    return told


def holds_none(sent: str, *words: str) -> None:
    found = [word for word in words if word in sent]
    assert found == []


# --- one is deleted --------------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Told], Any]] = {
    "page": lambda told: told.talker.client.post(reverse("mydata:delete", args=[told.health.id])),
    "library": lambda told: told.talker.memory.delete(told.health.id),
    "never again": lambda told: told.talker.memory.delete(told.health.id, never_again=True),
    "assistant": lambda told: ScopedMemory(told.talker.memory.subject, agent=NAME).delete(told.health.id),
    "several": lambda told: told.talker.memory.delete_many([told.health.id]),
    "conversation": lambda told: ScopedMemory(
        told.talker.memory.subject, agent=NAME, run=told.health.run
    ).delete_matching(Filters(), 3),
    "matching": lambda told: told.talker.memory.delete_matching(Filters(agent=NAME), 3),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_deleted_memory_is_in_nothing_that_is_sent_afterwards(told: Told, way: str) -> None:
    WAYS[way](told)
    sent = told.goes_on()
    holds_none(sent, *TRACES, HEALTH)
    if way in ("page", "library"):
        assert "Heliotrope" in sent, "what is left is still sent"


def test_nor_when_it_was_told_to_another_assistant_and_said_here(told: Told) -> None:
    """The memory comes from elsewhere; this conversation only repeated it."""
    told.model.facts = lambda prompt: [{"text": "I play the theorbo.", "attributed_to": "user"}]
    (item,) = ScopedMemory(told.talker.memory.subject, agent="music_teacher", run="r1").add("I play the theorbo.")
    told.model.facts, told.model.says = lambda prompt: [], lambda asked: asked[-1]["content"]
    assert "theorbo" in words(told.talker.says("Which instrument do I play?"))
    assert any("theorbo" in m.text for m in told.talker.buffered() if m.agent == NAME and m.role == "assistant")
    told.talker.memory.delete(item.id)
    holds_none(told.goes_on(), "theorbo")


def test_nor_what_an_assistant_of_ones_own_has_said_with_it(alice_talks: Talker, model: LlmServer) -> None:
    """The library: what was handed out in one conversation is answered, and remembered, there."""
    model.facts = lambda prompt: [{"text": "I play the theorbo.", "attributed_to": "user"}]
    person = alice_talks.memory.subject
    (item,) = ScopedMemory(person, agent="music_teacher", run="r1").add("I play the theorbo.")
    model.facts = lambda prompt: []
    teacher = ScopedMemory(person, agent="music_teacher")
    assert teacher.search("instrument").hits
    teacher.add([{"role": "assistant", "content": "You play the theorbo."}])
    alice_talks.memory.delete(item.id)
    count = len(model.asked)
    teacher.add("Shall we play?")
    assert model.sent("extraction", since=count)
    holds_none("\n".join(model.sent(since=count)), "theorbo")


def test_nor_what_was_said_in_a_conversation_after_looking_across_all_of_them(
    alice_talks: Talker, model: LlmServer
) -> None:
    """Who names a conversation sees that one only: to look into all, one names none, and then says it in one."""
    model.facts = lambda prompt: [{"text": "I play the theorbo.", "attributed_to": "user"}]
    person = alice_talks.memory.subject
    (item,) = ScopedMemory(person, agent="music_teacher", run="r1").add("I play the theorbo.")
    model.facts = lambda prompt: []
    assert ScopedMemory(person, agent="music_teacher").search("instrument").hits
    today = ScopedMemory(person, agent="music_teacher", run="r2")
    today.add([{"role": "assistant", "content": "You play the theorbo."}])
    alice_talks.memory.delete(item.id)
    count = len(model.asked)
    today.add("Shall we play?")
    assert model.sent("extraction", since=count)
    holds_none("\n".join(model.sent(since=count)), "theorbo")


def test_what_is_deleted_while_the_model_extracts_does_not_come_back_in_other_words(told: Told) -> None:
    told.model.meanwhile["extraction"] = lambda: told.talker.memory.delete(told.health.id)
    told.model.facts = lambda prompt: [{"text": "The patient sees Quillwortina.", "attributed_to": "user"}]
    page = words(told.talker.says("I keep a parrot called Heliotrope, as you know."))
    assert "deleted or corrected meanwhile" in page
    assert "Remembered:" not in page
    told.model.meanwhile.clear()
    assert {item.text for item in told.talker.memory.walk()} == set(told.items) - {HEALTH}
    assert ENTITY not in {entity.text for entity in told.talker.memory.entities()}
    holds_none(told.goes_on(), *TRACES)


# --- everything is erased --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["store", "request"])
def test_after_everything_was_erased_nothing_of_it_is_sent(told: Told, way: str) -> None:
    if way == "store":
        told.talker.memory.erase()
    else:
        erasure = services.ask(told.talker.user, told.talker.memory.subject)
        engine.run(erasure)
        erasure.refresh_from_db()
        assert erasure.state == State.COMPLETED
        for control in controls.states(told.talker.memory.subject):
            controls.resume(told.talker.memory.subject, control.agent)
    page = words(told.talker.opens())
    holds_none(page, *TRACES, *OTHERS)
    holds_none(told.goes_on(), *TRACES, *OTHERS)
    assert "What was said here before went together with" in page


def test_after_one_assistant_was_erased_nothing_of_it_is_sent(told: Told) -> None:
    ScopedMemory.for_person(told.talker.memory.subject, agent=NAME).erase()
    holds_none(told.goes_on(), *TRACES, *OTHERS)


# --- a wording is removed --------------------------------------------------------------------------------------------


def test_a_removed_wording_is_in_nothing_that_is_sent_afterwards(told: Told) -> None:
    memory, item = told.talker.memory, told.health
    memory.update(item.id, "My health is my own affair.")
    told.talker.client.post(reverse("mydata:purge", args=[item.id, memory.history(item.id)[0].seq]))
    assert [version.new for version in memory.history(item.id)] == [None, "My health is my own affair."]
    sent = told.goes_on()
    holds_none(sent, *TRACES, HEALTH)
    assert "My health is my own affair." in sent


def test_a_wording_that_was_not_removed_keeps_the_conversation(told: Told) -> None:
    before = told.talker.buffered()
    answer = told.talker.client.post(reverse("mydata:purge", args=[told.health.id, 1]))
    assert answer.status_code == 404
    assert told.talker.buffered() == before


# --- never again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wording", [HEALTH, HEALTH.upper(), f"  {HEALTH[:-1]} !", HEALTH.replace(" ", "\u00a0")])
def test_what_is_never_to_be_learned_again_is_not_though_the_model_finds_it(told: Told, wording: str) -> None:
    told.talker.memory.delete(told.health.id, never_again=True)
    others = {item.text for item in told.talker.memory.walk()}
    told.model.facts = lambda prompt: [{"text": wording}, {"text": "I have been to the market."}]
    page = words(told.talker.says("I was at the doctor's."))
    assert {item.text for item in told.talker.memory.walk()} == {*others, "I have been to the market."}
    assert "Remembered: I have been to the market." in page
    assert "1 wording was not remembered: you said that it is never to be learned again." in page
    assert ENTITY not in {entity.text for entity in told.talker.memory.entities()}
    assert not any("zymosis" in message.text.lower() for message in told.talker.buffered())


def test_a_stopped_wording_that_is_typed_again_is_in_no_later_prompt(told: Told) -> None:
    told.talker.memory.delete(told.health.id, never_again=True)
    told.model.says = lambda asked: "Hello."
    page = words(told.talker.says(HEALTH))
    assert "1 wording was not remembered" in page
    assert "kept nowhere" in page
    holds_none(told.goes_on(), *TRACES)
