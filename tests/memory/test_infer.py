"""Facts that a language model extracts: they land under the right subject, and what was deleted is never sent again."""

import threading
from typing import Any

import pytest

from memoryportal.memory import (
    ErasureRunning,
    InferenceFailed,
    MemoryRoomError,
    ScopedMemory,
    WritesPaused,
    controls,
)
from memoryportal.memory.stores import current_store

from .model_server import ModelServer
from .planted import Superuser, holds, shut_beside, stored


def _capitals(text: str) -> list[tuple[str, str]]:
    return [("PROPER", word) for word in text.split() if word[0].isupper() and word != "I"]


@pytest.fixture(autouse=True)
def _configured(settings: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEM0_CONFIG = model_server.mem0_config()
    settings.SEARCH_FLOOR = 0.0
    monkeypatch.setattr("mem0.memory.main.extract_entities", _capitals)
    monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [_capitals(text) for text in texts])


def _facts(*texts: str) -> list[dict[str, str]]:
    return [{"text": text, "attributed_to": "user"} for text in texts]


def test_everything_lands_under_the_right_subject(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, model_server: ModelServer
) -> None:
    cook = ScopedMemory(alice.subject, agent="cook", run="r1")
    model_server.facts = _facts("Miriam is my sister", "I live in Hamburg")
    items = cook.add([{"role": "user", "content": "my sister Miriam and I live in Hamburg", "name": "Alice"}])
    assert {(item.text, item.agent, item.run) for item in items} == {
        ("Miriam is my sister", "cook", "r1"),
        ("I live in Hamburg", "cook", "r1"),
    }
    assert (
        cook.held()
        == alice.held()
        == {"memories": 2, "entities": 2, "history": 2, "messages": 1, "uses": 0, "never": 0}
    )
    assert bob.held() == {"memories": 0, "entities": 0, "history": 0, "messages": 0, "uses": 0, "never": 0}
    links = {entity.text: entity.memory_ids for entity in alice.entities()}
    assert links == {word: [item.id for item in items if word in item.text] for word in ("Miriam", "Hamburg")}
    assert [(m.text, m.agent, m.run, m.role) for m in alice.messages()] == [
        ("my sister Miriam and I live in Hamburg", "cook", "r1", "user")
    ]
    for item in items:
        assert [(version.event, version.new) for version in alice.history(item.id)] == [("ADD", item.text)]
    assert [hit.item.text for hit in alice.search("where is my home", limit=1).hits] == ["I live in Hamburg"]


def test_a_name_is_noted_once_for_each_person(
    alice: ScopedMemory, bob: ScopedMemory, model_server: ModelServer
) -> None:
    """mem0 merges names that are alike; across people it must not."""
    ids: dict[ScopedMemory, list[str]] = {alice: [], bob: []}
    for number in range(2):
        for owner in (alice, bob):
            model_server.facts = _facts(f"Miriam called {number}")
            ids[owner] += [item.id for item in owner.add("a call")]
    for owner in (alice, bob):
        assert [(entity.text, sorted(entity.memory_ids)) for entity in owner.entities()] == [
            ("Miriam", sorted(ids[owner]))
        ]


def test_the_model_is_shown_one_persons_memories_and_messages_only(
    alice: ScopedMemory, bob: ScopedMemory, model_server: ModelServer
) -> None:
    model_server.facts = _facts("I keep a tortoise called Otto")
    bob.add("said by bob: my tortoise is called Otto")
    cook, planner = ScopedMemory(alice.subject, agent="cook"), ScopedMemory(alice.subject, agent="planner")
    model_server.facts = _facts("I keep a parrot called Polly")
    cook.add("said to the cook: my parrot is called Polly")
    model_server.facts = []
    cook.add("what is my pet called?")
    assert "parrot called Polly" in model_server.prompts[-1]
    assert "said to the cook" in model_server.prompts[-1]  # the buffer is sent again: what must not stay in it
    planner.add("what is my pet called?")
    assert "Polly" not in model_server.prompts[-1]
    for prompt in model_server.prompts[1:]:
        assert "Otto" not in prompt
        assert "said by bob" not in prompt


@pytest.mark.parametrize("how", ["delete", "erase", "erase narrowed"])
def test_what_was_deleted_is_never_sent_again(
    superuser: Superuser, alice: ScopedMemory, model_server: ModelServer, how: str
) -> None:
    cook = ScopedMemory(alice.subject, agent="cook", run="r1")
    model_server.facts = _facts("I have diabetes")
    item = cook.add("the doctor says that I have diabetes")[0]
    {"delete": lambda: alice.delete(item.id), "erase": alice.erase, "erase narrowed": cook.erase}[how]()
    assert holds(superuser, "diabetes") == []
    model_server.facts = []
    cook.add("what do you know about my health?")
    alice.add("what do you know about my health?")
    assert len(model_server.prompts) == 3
    for prompt in model_server.prompts[1:]:
        assert "diabetes" not in prompt


def test_two_people_at_once(alice: ScopedMemory, bob: ScopedMemory, model_server: ModelServer) -> None:
    """Both wait for the model at the same time; the answers must not cross."""
    meeting = threading.Barrier(2, timeout=20)
    model_server.before_answer = meeting.wait
    model_server.facts = _facts("Miriam is my sister")
    failures: list[BaseException] = []

    def live(memory: ScopedMemory) -> None:
        try:
            for number in range(3):
                memory.add(f"said by {memory.subject} {number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(memory,)) for memory in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    for owner, other in ((alice, bob), (bob, alice)):
        # mem0 drops a fact whose wording is among this person's own already.
        assert owner.held() == {"memories": 1, "entities": 1, "history": 1, "messages": 3, "uses": 0, "never": 0}
        assert [message.text for message in owner.messages()] == [f"said by {owner.subject} {n}" for n in range(3)]
        mine = [prompt for prompt in model_server.prompts if f"said by {owner.subject}" in prompt]
        assert len(mine) == 3
        assert not any(str(other.subject) in prompt for prompt in mine)


def test_what_has_expired_is_not_shown_to_the_model_and_can_be_learned_anew(
    superuser: Superuser, alice: ScopedMemory, model_server: ModelServer
) -> None:
    cook = ScopedMemory(alice.subject, agent="cook")
    living = cook.add("I eat at noon", infer=False)[0]
    for number in range(11):  # more than mem0 shows at once, and all of them nearer
        cook.add(f"I eat no sugar until May, {number}", infer=False, expires="2020-01-01")
    model_server.facts = _facts("I eat no sugar until May, 3")
    learned = cook.add("once more no sugar for me")
    assert "until May" not in model_server.prompts[-1]
    assert "I eat at noon" in model_server.prompts[-1]
    assert [(item.text, item.expired) for item in learned] == [("I eat no sugar until May, 3", False)]
    noted = superuser.execute("SELECT memory_id::text FROM memories_uses WHERE subject = %s", (alice.subject,))
    assert {row[0] for row in noted} == {living.id}


def test_the_buffer_keeps_ten_messages_of_each_conversation(alice: ScopedMemory, model_server: ModelServer) -> None:
    first, second = ScopedMemory(alice.subject, run="r1"), ScopedMemory(alice.subject, run="r2")
    second.add("other conversation")
    for number in range(13):
        first.add(f"message {number}")
    assert [message.text for message in first.messages()] == [f"message {number}" for number in range(3, 13)]
    assert [message.text for message in second.messages()] == ["other conversation"]


@pytest.mark.parametrize(("state", "error"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_a_gate_that_shuts_while_the_model_thinks_keeps_everything_out(
    superuser: Superuser, alice: ScopedMemory, model_server: ModelServer, state: Any, error: type[Exception]
) -> None:
    model_server.facts = _facts("Miriam is my sister")
    model_server.before_answer = lambda: shut_beside(alice, state)
    with pytest.raises(error):
        alice.add("my sister is called Miriam")
    assert holds(superuser, "Miriam") == []
    assert alice.held() == {"memories": 0, "entities": 0, "history": 0, "messages": 0, "uses": 0, "never": 0}


def test_what_was_said_before_an_erasure_is_not_stored_after_it_though_only_an_embedder_is_slow(
    superuser: Superuser, alice: ScopedMemory, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is erased and let in again while the text is embedded: the eraser has to wait for the add to end."""
    ended, answer = threading.Event(), model_server.answer

    def erase() -> None:
        alice.erase(behind="")
        controls.reopen(current_store(), alice.subject, "erasing")
        ended.set()

    def slow(path: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        monkeypatch.setattr(model_server, "answer", answer)
        shut_beside(alice, "erasing", then=erase)
        ended.wait(0.5)  # who does not wait for the add has ended by now
        return answer(path, asked)

    monkeypatch.setattr(model_server, "answer", slow)
    with pytest.raises(ErasureRunning):
        alice.add("my sister is called Miriam", infer=False)
    assert ended.wait(20)
    assert holds(superuser, "Miriam") == []


def test_a_model_that_refuses_is_named_and_its_words_are_not_kept(
    superuser: Superuser, alice: ScopedMemory, model_server: ModelServer
) -> None:
    model_server.chokes_on = {"extract"}  # stands in mem0's own prompt: the embedder goes on working
    with pytest.raises(InferenceFailed) as failure:
        alice.add("secret wording")
    _assert_content_free(failure.value, "secret wording")
    assert not any(stored(superuser).values())


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no JSON",
        "null",
        "[]",
        "{}",
        '{"memory": null}',
        '{"memory": "secret wording"}',
        '{"memory": ["secret wording"]}',
        '{"memory": [null]}',
        '{"memory": [{"text": 5}]}',
        '{"memory": [{"text": ["secret wording"]}]}',
        '{"memory": [{}]}',
        '{"memory": {"text": "secret wording"}}',
        '{"memory": [{"text": "a\\u0000b"}]}',
        '{"memory": [{"text": "a\\ud800b"}]}',
    ],
)
def test_a_model_that_answers_nonsense_harms_nothing(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, model_server: ModelServer, answer: str
) -> None:
    bob.add("I drink tea", infer=False)
    foreign = stored(superuser, bob.subject)
    model_server.raw_answer = answer
    try:
        assert alice.add("secret wording") == []
    except MemoryRoomError as error:
        _assert_content_free(error, "secret wording")
    assert alice.page().total == 0
    assert stored(superuser, bob.subject) == foreign
    model_server.raw_answer, model_server.facts = None, _facts("I drink coffee")
    assert [item.text for item in alice.add("I drink coffee")] == ["I drink coffee"]


def _assert_content_free(error: BaseException | None, text: str) -> None:
    while error is not None:
        assert text not in str(error)
        assert text not in repr(error)
        error = error.__cause__ or error.__context__
