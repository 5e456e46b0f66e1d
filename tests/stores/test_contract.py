"""What every store does alike: listing, counting, searching, reading. The suite is the same for all of them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from memoryportal.memory import BadCursor, BadQuery, Filters, Item, MemoryNotFound, ScopedMemory, controls
from memoryportal.memory.places import PLACES
from memoryportal.memory.stores.base import Store

from .conftest import Person

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)


def said(memory: ScopedMemory, *texts: str) -> list[Item]:
    """Remember each of these texts, one after the other; the items in this order."""
    return [memory.add(text)[0] for text in texts]


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items]


def found(memory: ScopedMemory, words: str, **more: object) -> set[str]:
    return {hit.item.text for hit in memory.search(words, **more).hits}  # type: ignore[arg-type]


def walked(memory: ScopedMemory, limit: int, **more: object) -> list[str]:
    """The ids on all pages, asked for one after the other."""
    ids, after = [], None
    while True:
        page = memory.page(after=after, limit=limit, **more)  # type: ignore[arg-type]
        ids += [item.id for item in page.items]
        if page.next is None:
            return ids
        after = page.next


# --- lists -----------------------------------------------------------------------------------------------------------


def test_nobody_has_nothing(alice: ScopedMemory, bob: ScopedMemory) -> None:
    page, summary = alice.page(), alice.summary()
    assert (page.items, page.next, page.total) == ([], None, 0)
    assert (summary.total, summary.since, summary.latest, summary.expired) == (0, None, None, 0)
    assert (summary.agents, summary.runs) == ([], [])
    assert alice.count() == 0
    assert alice.search("cello").hits == alice.search("cello", by="word").hits == []
    assert set(alice.held().values()) == {0}


@pytest.mark.parametrize("count", [1, 3])
def test_page_lists_newest_or_oldest_first(alice: ScopedMemory, bob: ScopedMemory, count: int) -> None:
    items = said(alice, *[f"Note {number}." for number in range(count)])
    newest, oldest = alice.page(), alice.page(order="oldest")
    assert texts(newest.items) == texts(items)[::-1]
    assert texts(oldest.items) == texts(items)
    assert (newest.total, newest.next, oldest.total, oldest.next) == (count, None, count, None)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_follow_each_other_without_gap_or_repetition(alice: ScopedMemory, bob: ScopedMemory, order: str) -> None:
    ids = [item.id for item in said(alice, *[f"Note {number}." for number in range(7)])]
    expected = ids if order == "oldest" else ids[::-1]
    assert walked(alice, 3, order=order) == expected
    assert walked(alice, 7, order=order) == expected
    first = alice.page(limit=3, order=order)  # type: ignore[arg-type]
    second = alice.page(after=first.next, limit=3, order=order)  # type: ignore[arg-type]
    assert (first.total, second.total) == (7, 7)


def test_pages_go_on_when_rows_come_and_go(alice: ScopedMemory) -> None:
    items = said(alice, *[f"Note {number}." for number in range(6)])
    first = alice.page(limit=2)
    said(alice, "Newer than the page.")
    alice.delete(items[4].id)  # the row that the cursor stands on
    alice.delete(items[3].id)
    second = alice.page(after=first.next, limit=2)
    assert texts(second.items) == ["Note 2.", "Note 1."]
    assert second.total == 5


@pytest.mark.parametrize("cursor", ["", "x", "e30", "bm9uc2Vuc2U", "%", "a" * 500, "W10", "WyIiLCIiLCIiLCIiXQ"])
def test_page_refuses_a_cursor_that_is_not_its_own(alice: ScopedMemory, cursor: str) -> None:
    said(alice, "One.", "Two.")
    if not cursor:
        assert alice.page(after=cursor).total == 2
        return
    with pytest.raises(BadCursor):
        alice.page(after=cursor)


def test_cursor_belongs_to_its_filters_and_order(alice: ScopedMemory) -> None:
    said(alice, "One.", "Two.")
    following = alice.page(limit=1).next
    for changed in ({"filters": Filters(agent="planner")}, {"order": "oldest"}):
        with pytest.raises(BadCursor):
            alice.page(after=following, **changed)  # type: ignore[arg-type]


def test_cursor_of_somebody_else_shows_only_ones_own(alice: ScopedMemory, bob: ScopedMemory) -> None:
    said(alice, "One.", "Two.")
    following = bob.page(limit=1).next
    assert {item.text for item in alice.page(after=following).items} <= {"One.", "Two."}


def test_filters_by_assistant_and_conversation(person: Person) -> None:
    alice = person("alice")
    for agent, run in (("planner", "monday"), ("planner", "tuesday"), ("coach", "monday"), (None, None)):
        said(person("alice", agent=agent, run=run), f"From {agent} on {run}.")
    chosen = {
        Filters(): 4,
        Filters(agent="planner"): 2,
        Filters(run="monday"): 2,
        Filters(agent="planner", run="monday"): 1,
        Filters(agent="plan"): 0,
        Filters(agent="coach", run="tuesday"): 0,
    }
    for filters, expected in chosen.items():
        page = alice.page(filters)
        assert (len(page.items), page.total, alice.count(filters)) == (expected, expected, expected)
        assert all(filters.agent in (None, item.agent) and filters.run in (None, item.run) for item in page.items)
    assert walked(alice, 1, filters=Filters(run="monday")) == [i.id for i in alice.page(Filters(run="monday")).items]


def test_filters_by_time(alice: ScopedMemory) -> None:
    before = said(alice, "Earlier.")[0]
    between = datetime.now(UTC)
    said(alice, "Later.")
    assert before.created is not None
    assert texts(alice.page(Filters(since=between)).items) == ["Later."]
    assert texts(alice.page(Filters(until=between)).items) == ["Earlier."]
    assert texts(alice.page(Filters(since=before.created)).items) == ["Later.", "Earlier."]
    assert texts(alice.page(Filters(until=before.created)).items) == []
    assert found(alice, "earlier or later", filters=Filters(since=between)) <= {"Later."}
    assert found(alice, "later", by="word", filters=Filters(until=between)) == set()


def test_filters_by_day(alice: ScopedMemory) -> None:
    item = said(alice, "Today.")[0]
    assert item.created is not None
    today = item.created.date()
    for filters, expected in (
        (Filters(since=today), 1),
        (Filters(until=today), 1),
        (Filters(since=today, until=today), 1),
        (Filters(until=today - timedelta(days=1)), 0),
        (Filters(since=today + timedelta(days=1)), 0),
    ):
        assert (alice.page(filters).total, alice.count(filters)) == (expected, expected)


@pytest.mark.parametrize("scope", [{}, {"agent": "planner"}, {"run": "monday"}])
def test_expired_memories_are_shown_counted_and_found(person: Person, scope: dict[str, str]) -> None:
    memory = person("alice", **scope)
    gone = memory.add("I had a season ticket for the pool.", expires=YESTERDAY)[0]
    memory.add("I have a bicycle.", expires=TOMORROW)
    said(memory, "I like the sea.")
    assert (gone.expires, gone.expired) == (YESTERDAY, True)
    assert {item.text: item.expired for item in memory.page().items} == {
        "I had a season ticket for the pool.": True,
        "I have a bicycle.": False,
        "I like the sea.": False,
    }
    assert (memory.page().total, memory.count(), memory.summary().expired) == (3, 3, 1)
    assert gone.text in found(memory, "swimming pool season ticket")
    assert found(memory, "ticket", by="word") == {gone.text}


def test_summary_counts_assistants_and_conversations(person: Person, bob: ScopedMemory) -> None:
    for agent, run in (("planner", "monday"), ("planner", "tuesday"), ("coach", "monday"), (None, None)):
        said(person("alice", agent=agent, run=run), f"From {agent} on {run}.")
    alice = person("alice")
    summary, oldest = alice.summary(), alice.page(order="oldest").items
    assert (summary.total, summary.expired) == (4, 0)
    assert (summary.since, summary.latest) == (oldest[0].created, oldest[-1].created)
    assert summary.agents == [("planner", 2), (None, 1), ("coach", 1)]
    assert summary.runs == [("monday", 2), (None, 1), ("tuesday", 1)]


def test_summary_counts_each_choice_under_the_other_filters(person: Person) -> None:
    for agent, run in (("planner", "monday"), ("planner", "tuesday"), ("coach", "monday")):
        said(person("alice", agent=agent, run=run), f"From {agent} on {run}.")
    summary = person("alice").summary(Filters(agent="planner", run="monday"))
    assert summary.total == 3
    assert summary.agents == [("coach", 1), ("planner", 1)]
    assert summary.runs == [("monday", 1), ("tuesday", 1)]


def test_summary_counts_within_the_chosen_time(person: Person) -> None:
    said(person("alice", agent="planner", run="monday"), "Earlier.")
    between = datetime.now(UTC)
    said(person("alice", agent="coach", run="tuesday"), "Later.")
    summary = person("alice").summary(Filters(since=between))
    assert (summary.total, summary.agents, summary.runs) == (2, [("coach", 1)], [("tuesday", 1)])


def test_summary_says_what_is_shut_as_the_gate_does(alice: ScopedMemory, bob: ScopedMemory) -> None:
    """Or it says nothing about it, and the gate is asked."""
    said(alice, "I drink tea.")
    controls.pause(alice.subject, "planner")
    controls.restrict(alice.subject)
    controls.pause(bob.subject)
    for memory in (alice, bob):
        assert memory.summary().shut in (None, controls.states(memory.subject))
    assert alice.summary(Filters(agent="coach")).shut in (None, controls.states(alice.subject))


def test_walk_hands_out_everything_once(alice: ScopedMemory, bob: ScopedMemory) -> None:
    items = said(alice, *[f"Note {number}." for number in range(5)])
    assert [item.id for item in alice.walk(batch=2)] == [item.id for item in items]


# --- search ----------------------------------------------------------------------------------------------------------


def test_search_by_meaning_puts_the_nearest_first(alice: ScopedMemory, bob: ScopedMemory) -> None:
    said(alice, "I am allergic to peanuts.", "My sister is called Miriam.", "I take the train to work.")
    hits = alice.search("nut allergy").hits
    assert hits[0].item.text == "I am allergic to peanuts."
    assert [hit.score for hit in hits] == sorted([hit.score for hit in hits], reverse=True)  # type: ignore[type-var]
    assert all(hit.score is not None and 0 <= hit.score <= 1 for hit in hits)


def test_search_by_meaning_finds_nothing_when_nothing_is_close(alice: ScopedMemory, bob: ScopedMemory) -> None:
    said(alice, "I am allergic to peanuts.")
    assert alice.search("quarterly financial statements of the bank").hits == []


def test_search_by_word_finds_every_word_in_any_case(alice: ScopedMemory, bob: ScopedMemory) -> None:
    said(alice, "My sister Miriam plays chess.", "Miriam lives in Hamburg.", "I play the cello too.")
    assert found(alice, "miriam", by="word") == {"My sister Miriam plays chess.", "Miriam lives in Hamburg."}
    assert found(alice, "MIRIAM chess", by="word") == {"My sister Miriam plays chess."}
    assert found(alice, "chess Hamburg", by="word") == set()
    assert all(hit.score is None for hit in alice.search("miriam", by="word").hits)


def test_search_by_word_takes_every_character_as_it_is(alice: ScopedMemory) -> None:
    said(alice, "I save 50% of it.", "The file is named a_b.", r"The path is C:\temp.", "It is (really) [odd]* {so}.")
    for words, expected in (
        ("50%", {"I save 50% of it."}),
        ("%", {"I save 50% of it."}),
        ("_", {"The file is named a_b."}),
        ("\\", {r"The path is C:\temp."}),
        ("[odd]*", {"It is (really) [odd]* {so}."}),
        (".*", set()),
        ("'", set()),
    ):
        assert found(alice, words, by="word") == expected


def test_search_by_word_gives_the_newest_first(alice: ScopedMemory) -> None:
    said(alice, *[f"I like the cat number {number}." for number in range(4)])
    newest = ["I like the cat number 3.", "I like the cat number 2."]
    assert [hit.item.text for hit in alice.search("cat", by="word", limit=2).hits] == newest


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_search_says_when_there_is_more(alice: ScopedMemory, by: str) -> None:
    said(alice, *[f"I like the cat number {number}." for number in range(4)])
    some, rest = alice.search("cat", by=by, limit=3), alice.search("cat", by=by, limit=4)  # type: ignore[arg-type]
    assert (len(some.hits), some.more, len(rest.hits), rest.more) == (3, True, 4, False)


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_search_keeps_to_the_filters(person: Person, by: str) -> None:
    said(person("alice", agent="planner"), "My cat sleeps.")
    said(person("alice", agent="coach"), "My cat runs.")
    assert found(person("alice"), "cat", by=by, filters=Filters(agent="coach")) == {"My cat runs."}


@pytest.mark.parametrize("by", ["meaning", "word"])
@pytest.mark.parametrize("words", ["", "   ", "x" * 501, "a\0b", "\ud800"])
def test_search_refuses_words_that_cannot_be_searched(alice: ScopedMemory, by: str, words: str) -> None:
    with pytest.raises(BadQuery):
        alice.search(words, by=by)  # type: ignore[arg-type]


# --- one memory -------------------------------------------------------------------------------------------------------


def test_get_gives_back_what_was_added(person: Person) -> None:
    memory = person("alice", agent="planner", run="monday")
    before = datetime.now(UTC)
    message = {"role": "assistant", "content": "You like أزرق, 青 and 🫐.", "name": "carol"}
    extra = {"colour": "blue", "depth": 3, "sure": True}
    added = memory.add([message], infer=False, metadata=extra, expires=date(2999, 1, 2))[0]
    item = memory.get(added.id)
    assert item == added
    assert (item.text, item.role, item.actor) == ("You like أزرق, 青 and 🫐.", "assistant", "carol")
    assert (item.agent, item.run, item.expires, item.expired) == ("planner", "monday", date(2999, 1, 2), False)
    assert item.metadata == extra
    assert item.created is not None
    assert before - timedelta(seconds=5) <= item.created <= datetime.now(UTC) + timedelta(seconds=5)


@pytest.mark.parametrize(
    "memory_id", ["", "x", "*", "00000000-0000-4000-8000-000000000000", "' OR 1=1 --", "a\0b", "1"]
)
def test_get_of_what_is_not_there(alice: ScopedMemory, memory_id: str) -> None:
    said(alice, "Here.")
    with pytest.raises(MemoryNotFound):
        alice.get(memory_id)


def test_held_names_the_places_in_their_order(alice: ScopedMemory, store: Store) -> None:
    said(alice, "Here.")
    assert list(alice.held()) == [place for place in PLACES if place in alice.held()]
    assert alice.held()["memories"] == 1
    assert [found.place for found in alice.residue()] == list(alice.held())


def test_store_says_what_it_cannot_do(store: Store) -> None:
    """People are shown these sentences: a store without a fence, or without one transaction for all places, has one."""
    abilities = store.abilities
    assert abilities.name
    assert all(sentence.endswith(".") and len(sentence) < 400 for sentence in abilities.limits)
    assert abilities.limits or (abilities.fenced and abilities.atomic and abilities.keeps_history)
