"""The demo's memories: the examples' sentences word for word, enough of everything, and nothing of one person in the
other.
"""

import json
import re
import unicodedata

import pytest

from memoryportal.mydata.demo_data import PEOPLE, SOURCE, DemoMemory, load, load_entities, load_messages

EXAMPLES: dict[str, list[tuple[str, str | None, str]]] = {
    "alice": [
        ("I am vegetarian. Please remember that.", None, "user"),
        ("Got it. I will remember you are vegetarian.", None, "assistant"),
        ("I prefer dark mode and Python.", None, "user"),
        ("I had an issue with order #12345.", "support_bot", "user"),
    ],
    "bob": [
        ("I always want a window seat on flights.", None, "user"),
        ("Noted. Window seat preference saved.", None, "assistant"),
        ("I use TypeScript and like light mode.", None, "user"),
    ],
}
ASSISTANTS = {"support_bot", "travel_planner", "kitchen_helper"}
SCRIPTS = {"ARABIC", "HEBREW", "HIRAGANA", "CJK", "DEVANAGARI", "CYRILLIC", "GREEK"}
PROBES = [
    '<script>alert("x")</script>',
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1234",
    "-2+3",
    "{{ 7*7 }}",
    "%s %d",
    "'; DROP TABLE memories; --",
    "AND 1=1",
]
LONGEST_AGO = 14 * 31  # days


def texts(person: str) -> list[str]:
    return [memory.text for memory in load(person)]


def wordings(person: str) -> list[str]:
    """Every text in a person's demo data, the earlier wordings and the message buffer included."""
    memories = load(person)
    edits = [text for memory in memories for text in memory.edits]
    return [memory.text for memory in memories] + edits + [message.text for message in load_messages(person)]


def with_expiry(person: str) -> list[tuple[DemoMemory, int]]:
    return [(memory, memory.expires_in_days) for memory in load(person) if memory.expires_in_days is not None]


def test_the_file_is_pretty_utf8_and_knows_two_people() -> None:
    raw = SOURCE.read_bytes().decode("utf-8")
    data = json.loads(raw)
    assert raw == json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    assert tuple(data) == PEOPLE == ("alice", "bob")


def test_somebody_else_is_refused() -> None:
    with pytest.raises(KeyError):
        load("mallory")


@pytest.mark.parametrize("person", PEOPLE)
def test_the_examples_come_first_word_for_word(person: str) -> None:
    expected = EXAMPLES[person]
    first = load(person)[: len(expected)]
    assert [(memory.text, memory.agent, memory.role) for memory in first] == expected
    assert all(memory.run is None and not memory.edits and memory.expires_in_days is None for memory in first)


@pytest.mark.parametrize("person", PEOPLE)
def test_counts(person: str) -> None:
    memories = load(person)
    others = memories[len(EXAMPLES[person]) :]
    assert 60 <= len(others) <= 70
    assert {memory.agent for memory in others} == ASSISTANTS | {None}
    assert 11 <= len({memory.run for memory in others} - {None}) <= 13
    assert sum(400 <= len(memory.text) <= 1500 for memory in memories) == 3
    assert sorted(len(memory.edits) for memory in memories if memory.edits) == [1, 2]
    assert len(load_messages(person)) == 6
    assert 4 <= len(load_entities(person)) <= 6


@pytest.mark.parametrize("person", PEOPLE)
def test_every_memory_can_be_stored(person: str) -> None:
    """The portal takes 1 to 8000 characters, PostgreSQL no NUL, and ids without white space, `*` or `,`."""
    memories = load(person)
    for memory in memories:
        assert all(re.fullmatch("[a-z0-9_-]+", name) for name in (memory.agent, memory.run) if name is not None)
        for text in [memory.text, *memory.edits]:
            assert 0 < len(text) <= 8000
            assert text == text.strip()
            assert "\x00" not in text
        assert memory.role in ("user", "assistant")
        assert 0 < memory.days_ago <= LONGEST_AGO
        assert memory.text not in memory.edits
    assert len(set(texts(person))) == len(memories)


@pytest.mark.parametrize("person", PEOPLE)
def test_the_others_are_in_the_order_of_time(person: str) -> None:
    days = [memory.days_ago for memory in load(person)[len(EXAMPLES[person]) :]]
    assert days == sorted(days, reverse=True)
    assert days[0] > 365
    assert days[-1] < 14


@pytest.mark.parametrize("person", PEOPLE)
def test_five_have_expired_and_two_will(person: str) -> None:
    """An expired memory was stored before it expired, or it could never have been used."""
    expiries = with_expiry(person)
    assert sum(days < 0 for _, days in expiries) == 5
    assert sum(days > 0 for _, days in expiries) == 2
    assert all(memory.days_ago > -days for memory, days in expiries)


@pytest.mark.parametrize("person", PEOPLE)
def test_many_scripts(person: str) -> None:
    together = "".join(texts(person))
    assert {unicodedata.name(char, "").split(" ")[0] for char in together} >= SCRIPTS
    assert "\u200d" in together, "an emoji with a zero-width joiner"
    assert any(not unicodedata.is_normalized("NFC", text) for text in texts(person)), "combining marks"


@pytest.mark.parametrize("person", PEOPLE)
def test_hostile_texts(person: str) -> None:
    held = texts(person)
    assert [probe for probe in PROBES if probe not in held] == []
    assert any("\u202e" in text for text in held)
    assert any("\n" in text and "\t" in text for text in held)
    assert any('hx-get="/erasure/"' in text and 'hx-trigger="load"' in text for text in held)
    assert max(len(word) for text in held for word in text.split()) == 300


def test_only_the_hostile_texts_are_in_both() -> None:
    assert set(wordings("alice")) & set(wordings("bob")) == set(PROBES)


@pytest.mark.parametrize(
    ("person", "foreign"),
    [
        ("alice", r"\bnuts?\b|window seat|TypeScript|light mode"),
        ("bob", r"vegetarian|vegan|\bmeat\b|pollen|Python|dark mode|\bfoods?\b|\bdiet"),
    ],
)
def test_nobody_has_what_proves_the_other_leaked(person: str, foreign: str) -> None:
    assert [text for text in wordings(person) if re.search(foreign, text, re.IGNORECASE)] == []


def test_both_have_what_matters() -> None:
    assert any("pollen allergy" in text for text in texts("alice"))
    assert any("nut allergy" in text for text in texts("bob"))


@pytest.mark.parametrize("person", PEOPLE)
def test_entities_name_memories_that_mention_them(person: str) -> None:
    held = texts(person)
    for entity in load_entities(person):
        assert entity.kind
        assert entity.memories
        assert entity.memories == [index for index, text in enumerate(held) if entity.text in text]


@pytest.mark.parametrize("person", PEOPLE)
def test_messages_belong_to_conversations_that_are_held(person: str) -> None:
    held = {(memory.agent, memory.run) for memory in load(person)}
    messages = load_messages(person)
    assert {(message.agent, message.run) for message in messages} <= held
    assert {message.role for message in messages} == {"user", "assistant"}
