"""Search by meaning is exact among one's own memories; search by word takes every character for itself."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from memoryportal.memory import BadQuery, Filters, ScopedMemory

from .planted import EMBEDDER, Superuser, payload, plant, plant_entity


def _found(memory: ScopedMemory, words: str, by: str = "meaning", **more: object) -> list[str]:
    return [hit.item.text for hit in memory.search(words, by=by, **more).hits]  # type: ignore[arg-type]


def test_meaning_finds_what_shares_no_word(alice: ScopedMemory, bob: ScopedMemory) -> None:
    alice.add("I am vegetarian.")
    alice.add("My train to Lisbon leaves on Tuesday.")
    bob.add("I never eat meat or fish.")
    assert _found(alice, "food preferences")[0] == "I am vegetarian."
    assert "I never eat meat or fish." not in _found(alice, "food preferences")
    scores = [hit.score for hit in alice.search("food preferences").hits]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_nothing_close_is_nothing_found(alice: ScopedMemory, settings: Any) -> None:
    alice.add("I am vegetarian.")
    assert _found(alice, "quantum chromodynamics lattice") == []
    settings.SEARCH_FLOOR = 0.0
    assert _found(alice, "quantum chromodynamics lattice") == ["I am vegetarian."]
    settings.SEARCH_FLOOR = 0.99
    assert _found(alice, "food preferences") == []


def test_own_memories_are_found_among_everybody_elses(superuser: Superuser, alice: ScopedMemory, settings: Any) -> None:
    """Recall@10 = 1.0. On mem0's own approximate index it falls to 0 for one person among many."""
    settings.SEARCH_FLOOR = 0.0
    random = np.random.default_rng(11)
    questions = ["tea", "my sister", "where do I work", "travel plans", *map(str, range(16))]
    asked = _unit(np.array(EMBEDDER.embed_batch(questions)))
    own = _unit(random.normal(size=(300, 256)))
    foreign = _unit(
        np.repeat(asked, 150, axis=0) + 0.01 * random.normal(size=(3000, 256))
    )  # nearer than all of one's own
    ids = plant(superuser, [payload(alice.subject, f"own {n}", text_lemmatized="-") for n in range(300)], own)
    plant(superuser, [payload(f"other{n % 40}", f"foreign {n}", text_lemmatized="-") for n in range(3000)], foreign)
    superuser.execute("CREATE INDEX approximate_idx ON memories USING hnsw (vector vector_cosine_ops)")
    try:
        superuser.execute("ANALYZE memories")
        for question, vector in zip(questions, asked, strict=True):
            similar = own @ vector
            wanted = [ids[n] for n in np.argsort(-similar)[:10] if similar[n] > 0]
            hits = alice.search(question, limit=10).hits
            assert [hit.item.id for hit in hits] == wanted
            assert len(hits) == 10
    finally:
        superuser.execute("DROP INDEX approximate_idx")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_after_a_correction_the_old_meaning_is_not_found(alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian and love tofu.")[0]
    alice.update(item.id, "My bicycle is red.")
    assert _found(alice, "food without meat") == []
    assert _found(alice, "colour of my bike") == ["My bicycle is red."]
    assert _found(alice, "tofu", by="word") == []
    assert _found(alice, "RED", by="word") == ["My bicycle is red."]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", ["100% wool"]),
        ("%", ["100% wool"]),
        ("_", ["snake_case"]),
        ("e_c", ["snake_case"]),
        ("\\", ["C:\\temp"]),
        (":\\t", ["C:\\temp"]),
        ("\\%", []),
        ("WOOL", ["100% wool", "Wool 100"]),
        ("wool 100", ["100% wool", "Wool 100"]),
        ("wool 100%", ["100% wool"]),
        ("STRASSE", []),
        ("straße", ["Straße in Köln"]),
        ("KÖLN", ["Straße in Köln"]),
        ("МОСКВА", ["Я живу в Москва"]),
        ("東京", ["東京に住んでいます"]),
        ("مرحبا", ["مرحبا يا عالم"]),
        ("😀", ["smile 😀"]),
        ("'; DROP TABLE memories; --", []),
        ("' OR '1'='1", []),
        ("%(x)s", []),
        ("{}", ["{} braces"]),
        ("oo oo", ["100% wool", "Wool 100"]),
    ],
)
def test_words_are_taken_literally(superuser: Superuser, alice: ScopedMemory, words: str, found: list[str]) -> None:
    texts = [
        "100% wool",
        "Wool 100",
        "snake_case",
        "C:\\temp",
        "Straße in Köln",
        "Я живу в Москва",
        "東京に住んでいます",
    ]
    texts += ["مرحبا يا عالم", "smile 😀", "{} braces", "nothing of the sort"]
    plant(superuser, [payload(alice.subject, text) for text in texts])
    assert sorted(_found(alice, words, by="word")) == sorted(found)


def test_by_word_ignores_what_others_wrote_and_stores(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    plant(superuser, [payload(bob.subject, "wool"), payload(alice.subject, "silk", role="wool", agent_id="wool")])
    assert _found(alice, "wool", by="word") == []  # the text is searched, not its metadata


@pytest.mark.parametrize("by", ["meaning", "word"])
@pytest.mark.parametrize("words", ["", "   ", "\n\t\u00a0", "x" * 501, "x" * 10_000, "a\0b", "a\ud800", None, 5, ["x"]])
def test_words_that_cannot_be_searched_are_refused(alice: ScopedMemory, by: str, words: object) -> None:
    with pytest.raises(BadQuery) as refusal:
        alice.search(words, by=by)  # type: ignore[arg-type]
    assert "xxx" not in str(refusal.value)


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_five_hundred_characters_are_searched(alice: ScopedMemory, by: str) -> None:
    alice.add("I love wool.")
    assert _found(alice, "wool " * 100, by=by) == ["I love wool."]
    assert _found(alice, "  wool \n", by=by) == ["I love wool."]


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_filters_narrow_a_search(superuser: Superuser, alice: ScopedMemory, by: str) -> None:
    vector = EMBEDDER.embed("a red bicycle")
    rows = [
        payload(alice.subject, f"a red bicycle {agent} {run} {day}", agent_id=agent, run_id=run, created_at=at)
        for agent in ("planner", "cook")
        for run in ("r1", None)
        for day, at in (("early", "2026-03-01T00:00:00+00:00"), ("late", "2026-03-20T00:00:00+00:00"), ("none", None))
    ]
    plant(superuser, rows, [vector] * len(rows))

    def shown(**filters: object) -> set[str]:
        return set(_found(alice, "red bicycle", by=by, filters=Filters(**filters)))  # type: ignore[arg-type]

    assert len(shown()) == 12
    assert shown(agent="cook", run="r1", since=date(2026, 3, 10)) == {"a red bicycle cook r1 late"}
    assert shown(until=date(2026, 3, 10), run="r1") == {"a red bicycle cook r1 early", "a red bicycle planner r1 early"}
    assert shown(agent="nobody") == set()


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_a_narrowed_scope_searches_its_own_assistant_only(superuser: Superuser, alice: ScopedMemory, by: str) -> None:
    vector = EMBEDDER.embed("a red bicycle")
    rows = [payload(alice.subject, f"a red bicycle {agent}", agent_id=agent) for agent in ("cook", "planner", None)]
    plant(superuser, rows, [vector] * 3)
    cook = ScopedMemory(alice.subject, agent="cook")
    assert _found(cook, "red bicycle", by=by) == ["a red bicycle cook"]
    assert _found(cook, "red bicycle", by=by, filters=Filters(agent="planner")) == []


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_what_is_filtered_out_eats_no_window(superuser: Superuser, alice: ScopedMemory, by: str) -> None:
    """A hundred nearer and newer memories of another assistant, and five results wanted."""
    near, far = EMBEDDER.embed_batch(["red bicycle", "a red bicycle in the shed"])
    plant(superuser, [payload(alice.subject, "old red bicycle", agent_id="cook", run_id="r1", created_at=None)], [far])
    plant(superuser, [payload(alice.subject, f"red bicycle {n}", agent_id="planner") for n in range(100)], [near] * 100)
    for narrowed in ({"agent": "cook"}, {"run": "r1"}):
        assert _found(ScopedMemory(alice.subject, **narrowed), "red bicycle", by=by, limit=5) == ["old red bicycle"]
        assert _found(alice, "red bicycle", by=by, filters=Filters(**narrowed), limit=5) == ["old red bicycle"]


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_expired_memories_are_found_and_eat_no_window(superuser: Superuser, alice: ScopedMemory, by: str) -> None:
    vector = EMBEDDER.embed("a red bicycle")
    rows = [payload(alice.subject, f"a red bicycle {n}", expiration_date="2020-01-01") for n in range(100)]
    rows += [payload(alice.subject, f"a red bicycle valid {n}") for n in range(20)]
    plant(superuser, rows, [vector] * len(rows))
    hits = alice.search("red bicycle", by=by, limit=500).hits  # type: ignore[arg-type]
    assert len(hits) == 120
    assert sum(hit.item.expired for hit in hits) == 100


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_more_says_whether_there_is_more(superuser: Superuser, alice: ScopedMemory, by: str) -> None:
    vector = EMBEDDER.embed("a red bicycle")
    plant(superuser, [payload(alice.subject, f"a red bicycle {n}") for n in range(7)], [vector] * 7)
    for limit, more in ((6, True), (7, False), (8, False)):
        hits = alice.search("red bicycle", by=by, limit=limit)  # type: ignore[arg-type]
        assert (len(hits.hits), hits.more) == (min(limit, 7), more)


def test_a_noted_name_lifts_only_ones_own_memories(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mem0 looks noted names up in threads of its own; what is lost there is lost silently."""
    monkeypatch.setattr("mem0.memory.main.extract_entities", lambda text: [("PROPER", "Miriam")])
    vectors = EMBEDDER.embed_batch(["I went for a walk with somebody", "I went for a walk with nobody"])
    for owner in (alice, bob):
        rows = [payload(owner.subject, f"walk {n} {owner.subject}", text_lemmatized="x") for n in range(2)]
        ids = plant(superuser, rows, vectors)
        plant_entity(superuser, owner.subject, "Miriam", [ids[1]])
    for owner in (alice, bob):
        hits = owner.search("a walk with Miriam").hits
        assert [hit.item.text for hit in hits] == [f"walk 1 {owner.subject}", f"walk 0 {owner.subject}"]
