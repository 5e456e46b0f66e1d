"""Never learn this again: the same wording is stopped at every way in, and nothing of its text is kept."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event
from memoryportal.memory import (
    BadQuery,
    CountMoved,
    ErasureRunning,
    Filters,
    MemoryNotFound,
    MemoryRoomError,
    ScopedMemory,
    ScopeViolation,
    StoreUnavailable,
    SubjectId,
    WordingStopped,
    never_again,
)
from memoryportal.memory.rename import rename_subject
from memoryportal.memory.stores import current_store

from .model_server import ModelServer
from .planted import Superuser, shut, stored

TEXT = "I was diagnosed with diabetes."


def _cook(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="cook")


def _forbid(memory: ScopedMemory, text: str = TEXT) -> None:
    (item,) = _cook(memory).add(text, infer=False)
    assert memory.delete(item.id, never_again=True).stopped == 1


def _texts(memory: ScopedMemory) -> list[str]:
    return [item.text for item in memory.page(order="oldest").items]


@pytest.fixture
def told() -> Iterator[list[tuple[str, int]]]:
    """What other rooms are told."""
    heard: list[tuple[str, int]] = []

    def hear(subject: SubjectId, count: int, **_: Any) -> None:
        heard.append((str(subject), count))

    never_again.wording_stopped.connect(hear)
    yield heard
    never_again.wording_stopped.disconnect(hear)


SAME = [
    TEXT,
    "i was diagnosed with DIABETES",
    "I  was\tdiagnosed\nwith diabetes !?…",
    "Ｉ was diagnosed with diabetes",
    "I was dia\u200bgnosed with dia\u00adbetes.",
    "I was dia\ufe0fgnosed with dia\u034fbetes.",  # a variation selector, a grapheme joiner
    "I was dia\u3164gnosed with dia\uffa0betes.",  # fillers
    "I was dia\x01gnosed with diabetes\x7f.",
    "I\u2800was diagnosed with diabetes.",  # a blank
    "  I was diagnosed with diabetes",
]
OTHER = [
    "I have diabetes.",
    "I was diagnosed with diabetes in May.",
    "I was not diagnosed with diabetes.",
    "Iwas diagnosed with diabetes.",
    "I was diagnosed, with diabetes.",
]


@pytest.mark.parametrize("text", SAME)
def test_the_same_wording_is_not_learned(
    superuser: Superuser, alice: ScopedMemory, told: list[tuple[str, int]], text: str
) -> None:
    _forbid(alice)
    before = stored(superuser)
    added = _cook(alice).add(text)
    assert (added, added.stopped) == ([], 1)
    assert stored(superuser) == before
    assert told == [(str(alice.subject), 1)]


@pytest.mark.parametrize("text", OTHER)
def test_a_paraphrase_is_learned(alice: ScopedMemory, told: list[tuple[str, int]], text: str) -> None:
    _forbid(alice)
    added = _cook(alice).add(text)
    assert ([item.text for item in added], added.stopped, told) == ([text], 0, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [("ΌΣΟΣ", "όσος"), ("Straße", "STRASSE"), ("é", "e\u0301"), ("ﬁne", "fine"), ("a\u00a0b", "a b"), ("?!", " ?! ")],
)
def test_how_wordings_are_compared(one: str, other: str) -> None:
    assert never_again.normalised(one) == never_again.normalised(other) != ""


@pytest.mark.parametrize(
    "text",
    ["?", "…!", "a", "\u200b", "e\ufe0f\u0301", "\u2800?", "a\x1c\x01b", "ａ.", "I drink tea. Really.", "x" * 9000],
)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = never_again.normalised(text)
    assert never_again.normalised(once) == once


def test_only_this_person_is_spared(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        _forbid(owner)
    digests = superuser.execute("SELECT DISTINCT digest FROM memories_never").fetchall()
    assert len(digests) == 2, "equal wordings of two people have nothing in common"
    assert bob.allow_again() == 1
    assert _cook(bob).add(TEXT)[0].text == TEXT
    assert _cook(alice).add(TEXT) == []


def test_the_rest_of_what_was_said_is_learned(alice: ScopedMemory, told: list[tuple[str, int]]) -> None:
    _forbid(alice)
    said = [{"role": "user", "content": text} for text in ("I drink tea", TEXT, TEXT.upper(), "I drink mate")]
    added = _cook(alice).add(said)
    assert [item.text for item in added] == ["I drink tea", "I drink mate"]
    assert added.stopped == 1, "different wordings are counted, not how often they were said"
    assert _texts(alice) == ["I drink tea", "I drink mate"]
    assert told == [(str(alice.subject), 1)]


def test_nothing_of_the_text_is_kept(superuser: Superuser, alice: ScopedMemory) -> None:
    _forbid(alice)
    left = {table: rows for table, rows in stored(superuser, alice.subject).items() if rows}
    assert list(left) == ["memories_never"]
    assert not re.search("diabetes|diagnosed", repr(left), re.IGNORECASE)
    (digest, salt), *rest = superuser.execute("SELECT digest, salt FROM memories_never").fetchall()
    assert (len(digest), len(salt), rest) == (32, 16, [])
    assert digest == never_again.digest(salt, TEXT.upper())


@pytest.mark.parametrize("how", ["delete", "delete_many", "delete_matching"])
def test_every_way_to_delete_can_say_so(alice: ScopedMemory, how: str) -> None:
    cook = _cook(alice)
    ids = [cook.add(text)[0].id for text in ("one", "two", "Two!")]
    ways = {
        "delete": lambda: [alice.delete(memory_id, never_again=True) for memory_id in ids],
        "delete_many": lambda: [alice.delete_many(ids, never_again=True)],
        "delete_matching": lambda: [alice.delete_matching(Filters(agent="cook"), 3, never_again=True)],
    }
    assert sum(removed.stopped for removed in ways[how]()) == 2
    assert alice.stopped().count == alice.held()["never"] == 2
    assert cook.add([{"role": "user", "content": text} for text in ("ONE", "two", "three")]).stopped == 2
    assert _texts(alice) == ["three"]


def test_an_ordinary_deletion_forbids_nothing(alice: ScopedMemory) -> None:
    item = _cook(alice).add(TEXT)[0]
    assert alice.delete(item.id).stopped == 0
    assert alice.stopped().count == 0
    assert _cook(alice).add(TEXT).stopped == 0


def test_what_was_not_deleted_is_not_stopped(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    item, foreign = _cook(alice).add(TEXT)[0], bob.add("foreign")[0]
    before = stored(superuser)
    with pytest.raises(CountMoved):
        alice.delete_matching(Filters(), 2, never_again=True)
    with pytest.raises(MemoryNotFound):
        alice.delete_many([item.id, foreign.id], never_again=True)
    with pytest.raises(ScopeViolation):  # no assistant decides what may be learned
        _cook(alice).delete(item.id, never_again=True)
    with shut(alice, "erasing"), pytest.raises(ErasureRunning):
        alice.delete(item.id, never_again=True)
    superuser.execute("REVOKE DELETE ON memories FROM memoryportal_scoped")
    try:
        with pytest.raises(StoreUnavailable):
            alice.delete(item.id, never_again=True)
    finally:
        superuser.execute("GRANT DELETE ON memories TO memoryportal_scoped")
    assert stored(superuser) == before


def test_the_person_may_write_it_again_and_an_assistant_not(
    superuser: Superuser, alice: ScopedMemory, told: list[tuple[str, int]]
) -> None:
    _forbid(alice)
    item = _cook(alice).add("I drink tea")[0]
    before = stored(superuser)
    with pytest.raises(WordingStopped) as refusal:
        _cook(alice).update(item.id, TEXT)
    assert "diabetes" not in str(refusal.value)
    assert stored(superuser) == before
    assert told == [(str(alice.subject), 1)]
    assert alice.update(item.id, TEXT).text == TEXT
    assert alice.stopped().count == 1
    assert alice.delete(item.id, never_again=True).stopped == 0, "it was forbidden already"


def test_erasing_takes_the_list_along_unless_the_person_keeps_it(alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        _forbid(owner)
    assert alice.erase(keep=("never",)).counts["never"] == 0
    assert {found.place: found.count for found in alice.residue()}["never"] == 1
    assert {found.count for found in alice.residue(keep=("never",))} == {0}
    assert ScopedMemory.for_person(alice.subject, agent="cook").erase().counts["never"] == 0
    assert _cook(alice).add(TEXT).stopped == 1
    assert alice.erase().counts["never"] == 1
    assert {found.count for found in alice.residue()} == {0}
    assert _cook(alice).add(TEXT).stopped == 0
    assert bob.stopped().count == 1
    with pytest.raises(BadQuery):
        alice.erase(keep=("memories",))
    assert _texts(alice) == [TEXT]


def test_another_id_keeps_the_list(alice: ScopedMemory) -> None:
    _forbid(alice)
    moved = ScopedMemory.for_person(SubjectId(f"{alice.subject}-new"))
    rename_subject(str(alice.subject), moved.subject)
    assert _cook(moved).add(TEXT).stopped == 1
    assert _cook(alice).add(TEXT).stopped == 0


def test_a_list_that_was_made_with_another_key_lets_nothing_in(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, settings: Any, tmp_path: Path
) -> None:
    """A host that has a KEY_DIR of its own could compare nothing, and would let through what is forbidden."""
    item = _cook(alice).add("I drink tea")[0]
    _forbid(alice)
    settings.KEY_DIR = tmp_path
    before = stored(superuser)
    for write in (lambda: _cook(alice).add("I drink mate"), lambda: _cook(alice).update(item.id, "I drink mate")):
        with pytest.raises(StoreUnavailable, match="KEY_DIR"):
            write()
    assert stored(superuser) == before
    assert _cook(bob).add("I drink mate").stopped == 0, "who has forbidden nothing needs no key"
    assert alice.allow_again() == 1
    assert _cook(alice).add("I drink mate").stopped == 0


def test_a_key_that_cannot_be_read_lets_nothing_in(
    superuser: Superuser, alice: ScopedMemory, settings: Any, tmp_path: Path
) -> None:
    _forbid(alice)
    (tmp_path / "secret.key").write_text("not a key")
    settings.KEY_DIR = tmp_path
    before = stored(superuser)
    with pytest.raises(StoreUnavailable):
        _cook(alice).add("I drink mate")
    assert stored(superuser) == before


@pytest.mark.django_db
def test_the_trail_has_a_count_and_no_word(alice: ScopedMemory) -> None:
    _forbid(alice)
    _cook(alice).add([{"role": "user", "content": text} for text in (TEXT, "I drink tea")])
    (event,) = Event.objects.filter(action=Action.WORDING_REFUSED)
    assert (event.actor, event.details, event.object, event.reason) == ("system", {"count": 1}, "", "")


# --- facts that a language model extracts ----------------------------------------------------------------------------


@pytest.fixture
def extracting(settings: Any, model_server: ModelServer, alice: ScopedMemory) -> ModelServer:
    settings.MEM0_CONFIG = model_server.mem0_config()
    _forbid(alice)
    model_server.facts = [{"text": text} for text in ("I drink tea", TEXT.upper(), "I drink mate")]
    model_server.embedded.clear()
    return model_server


def test_an_extracted_fact_is_stopped_before_it_is_embedded(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer, told: list[tuple[str, int]]
) -> None:
    added = _cook(alice).add("the doctor has told me something")
    assert sorted(item.text for item in added) == ["I drink mate", "I drink tea"]
    assert added.stopped == 1
    assert not any("DIABETES" in text for text in extracting.embedded)
    assert "DIABETES" not in repr(stored(superuser, alice.subject))
    assert told == [(str(alice.subject), 1)]


def test_the_model_is_not_told_what_is_forbidden(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer
) -> None:
    extracting.facts = []
    added = _cook(alice).add([{"role": "user", "content": TEXT}, {"role": "user", "content": "and I drink tea"}])
    assert (added, added.stopped) == ([], 1)
    assert "diabetes" not in extracting.prompts[-1]
    assert [message.text for message in alice.messages()] == ["and I drink tea"]
    asked = len(extracting.prompts)
    assert _cook(alice).add(TEXT).stopped == 1
    assert len(extracting.prompts) == asked, "nothing was left to ask about"


def test_what_is_forbidden_while_the_model_thinks_is_stopped(alice: ScopedMemory, extracting: ModelServer) -> None:
    extracting.before_answer = lambda: never_again.stop(current_store(), alice.scope, ["I drink tea"])
    added = _cook(alice).add("something to drink")
    assert ([item.text for item in added], added.stopped) == (["I drink mate"], 2)


def test_a_list_that_cannot_be_read_while_the_model_thinks(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer
) -> None:
    """mem0 would go on without the facts, and say that there were none."""
    extracting.before_answer = lambda: superuser.execute("REVOKE SELECT ON memories_never FROM memoryportal_scoped")
    try:
        with pytest.raises(MemoryRoomError) as failure:
            _cook(alice).add("something to drink")
    finally:
        superuser.execute("GRANT SELECT ON memories_never TO memoryportal_scoped")
    assert isinstance(failure.value, StoreUnavailable)
    assert alice.page().total == 0


def test_facts_that_come_from_out_of_sight_are_forgotten_again(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a store that extracts by itself, where nothing can be left out beforehand."""
    monkeypatch.setattr(type(current_store()), "add", _without_screen(type(current_store()).add))
    added = _cook(alice).add("the doctor has told me something")
    assert sorted(item.text for item in added) == ["I drink mate", "I drink tea"]
    assert added.stopped == 1
    assert sorted(_texts(alice)) == ["I drink mate", "I drink tea"]
    assert alice.held()["history"] == 2


def _without_screen(add: Any) -> Any:
    return lambda store, scope, messages, infer, extra, last, screen: add(store, scope, messages, infer, extra, last)
