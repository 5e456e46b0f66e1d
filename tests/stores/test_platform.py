"""mem0's hosted Platform: whole lists, whose rows, and nothing called gone before it is seen to be."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.test import override_settings

from memoryportal.memory import (
    BadQuery,
    ErasureRunning,
    Filters,
    MemoryNotFound,
    NotConfirmed,
    ScopedMemory,
    StoreRefused,
    StoreUnavailable,
    WritesPaused,
    controls,
)
from memoryportal.memory.configuration import configuration
from memoryportal.memory.embedding import OTHER_FLOOR, relevance_floor
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import current_store, platform_client
from tests.platform.server import Platform
from tests.platform.state import STRANGER, State
from tests.platform.using import alice, bob, narrowed, platform, running  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def no_foreign_row() -> None:
    """Some of these tests put a stranger's row into the answers, and look at the counter themselves."""


def texts(memory: ScopedMemory, **more: object) -> list[str]:
    return [item.text for item in memory.page(limit=500, **more).items]  # type: ignore[arg-type]


def kept(platform: Platform, memory: ScopedMemory) -> set[str]:
    """What the stand-in itself has of a person."""
    return {row.memory for row in platform.state.rows.values() if row.user_id == str(memory.subject)}


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_every_verb_asks_what_the_description_has(platform: Platform, alice: ScopedMemory) -> None:
    planner = narrowed(alice, "planner", "monday")
    item = planner.add("I am vegetarian.", metadata={"colour": "green"}, expires="2999-12-31")[0]
    others = [alice.add(f"Note {number}.", infer=False)[0] for number in range(3)]
    planner.update(item.id, "I am vegan.")
    assert (len(planner.history(item.id)), alice.summary().total, alice.held()["memories"]) == (2, 4, 4)
    assert alice.search("food").hits
    assert alice.search("vegan", by="word").hits
    alice.delete(others[0].id)
    alice.delete_many([others[1].id, others[2].id])
    alice.erase()
    assert {found.count for found in alice.residue()} == {0}
    assert {asked.name for asked in platform.requests} == {
        "memories_add_v3", "event_read", "memories_list_v3", "memories_search_v3", "memories_read", "memories_update",
        "memories_history_list", "memories_delete", "memories_batch_delete", "memories_delete_all", "entities_delete",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v3/memories/?page_size=201", {"filters": {"user_id": "a"}}, "above 200"),
        ("/v3/memories/?limit=5", {"filters": {"user_id": "a"}}, "limit is not in the published"),
        ("/v3/memories/", {"filters": {"user_id": "a"}, "user_id": "a"}, "user_id is not in the published"),
        ("/v3/memories/search/", {"filters": {"user_id": "a"}}, "query is missing"),
        ("/v3/memories/search/", {"query": "", "filters": {"user_id": "a"}}, "too short"),
        ("/v3/memories/add/", {"messages": [{"role": "robot", "content": "x"}], "user_id": "a"}, "none of"),
        ("/v3/memories/add/", {"messages": "x", "user_id": "a"}, "not of type array"),
        ("/v3/memories/", {"filters": {"user_id": {"like": "a"}}}, "not understood"),
        ("/v4/memories/", {}, "no such operation"),
    ],
)
def test_stand_in_notices_what_the_description_has_not(path: str, body: object, sentence: str) -> None:
    """Else "no violations" would mean nothing."""
    with Platform() as strict:
        answer = httpx.post(strict.url + path, json=body, headers={"Authorization": f"Token {strict.key}"})
        assert answer.status_code in (400, 404)
        assert [sentence in violation for violation in strict.violations] == [True]


def test_nothing_is_asked_before_it_is_needed(platform: Platform, alice: ScopedMemory) -> None:
    """mem0's own constructor asks for a ping, with a deadline of five minutes."""
    fresh = current_store().client.fresh()  # type: ignore[attr-defined]
    assert platform.requests == []
    assert fresh.get(str(uuid.uuid4())) is None
    assert [asked.name for asked in platform.requests] == ["memories_read"]
    assert platform.key not in repr(fresh)
    fresh.close()


def test_telemetry_is_off() -> None:
    from mem0.memory import telemetry

    assert telemetry.MEM0_TELEMETRY is False
    assert telemetry.client_telemetry.posthog is None


# --- is it all of it? -------------------------------------------------------------------------------------------------


def plant(platform: Platform, memory: ScopedMemory, count: int) -> None:
    for number in range(count):
        platform.state.store(memory=f"Note {number}.", user_id=str(memory.subject))


def test_list_is_read_to_its_end(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    plant(platform, alice, 450)
    page = alice.page(limit=25)
    assert (len(page.items), page.total, page.items[0].text) == (25, 450, "Note 449.")
    assert platform.count("memories_list_v3") == 3
    assert [item.text for item in alice.walk(batch=200)] == [f"Note {number}." for number in range(450)]


@pytest.mark.parametrize("nulls", ["branch", "whole", "off"])
def test_list_holds_rows_of_every_assistant_app_and_conversation(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, nulls: str
) -> None:
    """The documentation says that a field which a filter does not name must be null, and leaves open what "a filter" is."""
    platform.state.odd.nulls = nulls  # type: ignore[assignment]
    for number in range(8):
        names = [name for bit, name in enumerate(("agent_id", "app_id", "run_id")) if number & 1 << bit]
        platform.state.store(memory=f"{number}", user_id=str(alice.subject), **dict.fromkeys(names, "x"))
    assert sorted(texts(alice)) == [str(number) for number in range(8)]
    assert alice.count(Filters(run="x")) == 4


@pytest.mark.parametrize("change", ["added", "deleted"])
def test_list_that_changes_while_it_is_read_is_read_again(
    platform: Platform, alice: ScopedMemory, change: str
) -> None:
    plant(platform, alice, 410)
    oldest = next(iter(platform.state.rows.values()))

    def move(state: State) -> None:
        if change == "added":
            state.store(memory="In between.", user_id=str(alice.subject))
        else:
            state.drop([oldest])

    platform.state.odd.between_pages.append(move)
    assert alice.count() == (411 if change == "added" else 409)
    assert platform.count("memories_list_v3") == 6


@pytest.mark.parametrize("oddity", ["cut", "endless"])
def test_list_that_is_not_whole_is_an_error_and_not_a_part(
    platform: Platform, alice: ScopedMemory, oddity: str
) -> None:
    plant(platform, alice, 210)
    setattr(platform.state.odd, oddity, True)
    for read in (alice.page, alice.count, alice.summary, alice.held, lambda: list(alice.walk())):
        with pytest.raises(StoreUnavailable):
            read()
    assert [(found.place, found.count is None) for found in alice.residue()][0] == ("memories", True)


def test_list_that_is_too_long_is_an_error(
    platform: Platform, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(platform, alice, 450)
    monkeypatch.setattr(platform_client, "MAX_PAGES", 2)
    with pytest.raises(StoreUnavailable, match="more than 400"):
        alice.page()


def test_expired_memories_are_shown_and_found(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.store(memory="I have a season ticket.", user_id=str(alice.subject), expiration_date="2020-01-31")
    assert [(item.text, item.expired) for item in alice.page().items] == [("I have a season ticket.", True)]
    assert (alice.summary().expired, len(alice.search("season ticket").hits)) == (1, 1)


def test_times_of_any_offset_sort_as_they_are(platform: Platform, alice: ScopedMemory) -> None:
    """The stand-in answers in Pacific time; the order and the days are those of UTC."""
    late = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
    for text, at in (("second", late), ("first", late - timedelta(hours=2)), ("third", late + timedelta(hours=8))):
        platform.state.store(memory=text, user_id=str(alice.subject), created_at=at)
    assert texts(alice, order="oldest") == ["first", "second", "third"]
    assert texts(alice, filters=Filters(since=late.date(), until=late.date())) == ["third", "second"]
    assert alice.summary().since == late - timedelta(hours=2)


def test_search_by_meaning_has_a_floor_and_keeps_to_the_filters(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    assert relevance_floor() == OTHER_FLOOR
    narrowed(alice, "planner").add("I am allergic to peanuts.")
    for number in range(30):
        alice.add(f"A nut allergy was noted on day {number}.")
    found = narrowed(alice, "planner").search("nut allergy", limit=1).hits
    assert [hit.item.text for hit in found] == ["I am allergic to peanuts."]  # not eaten by thirty better ones
    assert alice.search("quarterly financial statements of the bank").hits == []
    assert all(asked.body["threshold"] == OTHER_FLOOR for asked in platform.requests if "threshold" in asked.body)


# --- whose is it? -----------------------------------------------------------------------------------------------------


def test_row_of_a_stranger_is_dropped_counted_and_reported(
    platform: Platform, alice: ScopedMemory, caplog: pytest.LogCaptureFixture
) -> None:
    item = alice.add("I am vegetarian.")[0]
    platform.state.odd.stranger = True
    before = FOREIGN_ROWS.count
    for read in (
        lambda: texts(alice),
        lambda: [hit.item.text for hit in alice.search("vegetarian").hits],
        lambda: [hit.item.text for hit in alice.search("i", by="word").hits],
    ):
        assert read() == ["I am vegetarian."]
    assert (alice.count(), alice.page().total, alice.summary().total, alice.held()["memories"]) == (1, 1, 1, 1)
    assert FOREIGN_ROWS.count == before + 8  # the search meets one in its own results too
    with pytest.raises(MemoryNotFound):
        alice.get(item.id)  # another memory was answered
    assert FOREIGN_ROWS.count == before + 9
    assert {record.levelname for record in caplog.records if "foreign row" in record.message} == {"CRITICAL"}
    assert "secret" not in caplog.text
    assert STRANGER not in caplog.text


def test_history_entry_of_a_stranger_is_dropped_and_counted(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    row, entries = platform.state.rows[item.id], platform.state.past[item.id]
    entries.append({**entries[0], "user_id": STRANGER, "new_memory": "A stranger's secret."})
    before = FOREIGN_ROWS.count
    assert [version.new for version in alice.history(row.id)] == ["I am vegetarian."]
    assert FOREIGN_ROWS.count == before + 1


VERBS: dict[str, Callable[[ScopedMemory, str], object]] = {
    "get": lambda memory, other: memory.get(other),
    "update": lambda memory, other: memory.update(other, "I was here."),
    "delete": lambda memory, other: memory.delete(other),
    "delete_many": lambda memory, other: memory.delete_many([memory.page().items[0].id, other]),
    "history": lambda memory, other: memory.history(other),
    "purge_version": lambda memory, other: memory.purge_version(other, 1),
}
WRITES = {"memories_update", "memories_delete", "memories_batch_delete", "memories_delete_all", "entities_delete"}


@pytest.mark.parametrize("verb", VERBS)
def test_memory_of_somebody_else_is_never_even_asked_to_change(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, verb: str
) -> None:
    alice.add("Mine.")
    target = bob.page().items[0]
    before = (kept(platform, alice), kept(platform, bob))
    with pytest.raises(MemoryNotFound):
        VERBS[verb](alice, target.id)
    assert (kept(platform, alice), kept(platform, bob)) == before
    assert not WRITES & {asked.name for asked in platform.requests}
    assert "memories_history_list" not in {asked.name for asked in platform.requests}


def test_metadata_does_not_make_an_owner(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    """Metadata is written by whoever has a key, and lies flat beside the owner in our rows."""
    claim = {"user_id": str(alice.subject), "agent_id": "x", "data": "forged", "created_at": "2000-01-01"}
    theirs = platform.state.store(memory="Bob's.", user_id=str(bob.subject), metadata=claim)
    mine = platform.state.store(memory="Mine.", user_id=str(alice.subject), metadata={"user_id": str(bob.subject)})
    with pytest.raises(MemoryNotFound):
        alice.get(theirs.id)
    item = alice.get(mine.id)
    assert (texts(alice), item.metadata, item.agent) == (["Mine."], {}, None)
    assert (bob.get(theirs.id).text, bob.count()) == ("Bob's.", 4)


def test_what_an_assistant_adds_stays_with_the_person(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    """With both ids the Platform puts what an assistant said under the assistant alone, out of the person's reach."""
    conversation = [{"role": "user", "content": "I eat no meat."}, {"role": "assistant", "content": "You are vegan."}]
    added = narrowed(alice, "planner", "monday").add(conversation)
    assert [(item.text, item.agent, item.run, item.metadata) for item in added] == [
        ("I eat no meat.", "planner", "monday", {}), ("You are vegan.", "planner", "monday", {}),
    ]  # fmt: skip
    assert {(row.user_id, row.agent_id) for row in platform.state.rows.values() if row.id in {i.id for i in added}} == {
        (str(alice.subject), None)
    }
    assert set(texts(narrowed(alice, "planner"))) == {"I eat no meat.", "You are vegan."}
    assert texts(narrowed(alice, "coach")) == texts(narrowed(bob, "planner")) == []


def test_view_of_an_assistant_has_what_the_platform_marked_itself(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.store(memory="Marked.", user_id=str(alice.subject), agent_id="planner")
    nobodys = platform.state.store(memory="Knowledge.", agent_id="planner")
    assert texts(narrowed(alice, "planner")) == texts(alice) == ["Marked."]
    assert alice.summary().agents == [("planner", 1)]
    alice.erase()
    assert list(platform.state.rows) == [nobodys.id]


@pytest.mark.parametrize("scope", [{"agent": "planner"}, {"run": "monday"}, {"agent": "planner", "run": "monday"}])
def test_erasing_one_assistant_or_conversation_is_never_by_its_name(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, scope: dict[str, str]
) -> None:
    """Of two entities the Platform honours one: `user + run` would have deleted that conversation of everybody."""
    narrowed(alice, "planner", "monday").add("Mine, in there.")
    alice.add("Mine, elsewhere.")
    platform.state.store(memory="Bob's, in there.", user_id=str(bob.subject), agent_id="planner", run_id="monday")
    assert narrowed(alice, **scope).erase().memories == 1
    assert kept(platform, alice) == {"Mine, elsewhere."}
    assert "Bob's, in there." in kept(platform, bob)
    assert platform.count("memories_delete_all") == platform.count("entities_delete") == 0


def test_stand_in_honours_one_entity_and_everybody(platform: Platform, bob: ScopedMemory) -> None:
    """What the tests above guard against does happen here."""
    address = f"{platform.url}/v1/memories/"
    for row in list(platform.state.rows.values()):
        row.run_id = "tuesday"
    with Platform() as other:
        other.state.rows = platform.state.rows
        other.state.past = platform.state.past
        head = {"Authorization": f"Token {other.key}"}
        address = f"{other.url}/v1/memories/"
        queued = httpx.delete(address, params={"user_id": str(bob.subject), "run_id": "monday"}, headers=head).json()
        httpx.get(f"{other.url}/v1/event/{queued['event_id']}/", headers=head)
    assert kept(platform, bob) == set()


def test_note_of_the_assistant_cannot_be_forged(platform: Platform, alice: ScopedMemory) -> None:
    with pytest.raises(BadQuery):
        alice.add("x", metadata={"memoryportal_agent": "planner"})
    platform.state.store(memory="Odd.", user_id=str(alice.subject), metadata={"memoryportal_agent": ["a", "b"]})
    assert (texts(alice), alice.summary().agents) == (["Odd."], [(None, 1)])


def test_what_the_platform_stores_under_nobody_is_not_called_added(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.unattributed = True
    with pytest.raises(NotConfirmed):
        alice.add("I am vegetarian.")
    assert alice.count() == 0


# --- adding and correcting -------------------------------------------------------------------------------------------


def test_add_waits_for_the_queue_and_for_the_row_to_be_seen(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.polls, platform.state.odd.seconds, platform.state.odd.late = 3, 0.05, 2
    assert [item.text for item in alice.add("I am vegetarian.")] == ["I am vegetarian."]
    assert platform.count("event_read") >= 4


def test_add_that_does_not_end_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.never = True
    with pytest.raises(NotConfirmed, match="accepted"):
        alice.add("I am vegetarian.")


def test_add_that_fails_is_said_to_have_failed(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.failing = True
    with pytest.raises(StoreUnavailable, match="nothing was remembered") as failed:
        alice.add("I am vegetarian.")
    assert not isinstance(failed.value, NotConfirmed)


def test_add_without_inference_keeps_who_spoke(platform: Platform, alice: ScopedMemory) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I am vegetarian.", "name": "Al"},
        {"role": "assistant", "content": "Noted."},
    ]
    added = narrowed(alice, "planner").add(messages, infer=False, metadata={"colour": "green"})
    assert [(item.text, item.role, item.actor, item.agent, item.metadata) for item in added] == [
        ("I am vegetarian.", "user", "Al", "planner", {"colour": "green"}),
        ("Noted.", "assistant", None, "planner", {"colour": "green"}),
    ]


def test_add_without_inference_is_all_or_nothing(platform: Platform, alice: ScopedMemory) -> None:
    platform.fail("/v3/memories/add/", 400, times=0)
    turns = [{"role": "user", "content": "One."}, {"role": "assistant", "content": "Two."}]
    platform.fail("/v3/memories/add/", 200, times=1, after=True)  # the first answer is lost: see below
    with pytest.raises(NotConfirmed):
        alice.add(turns, infer=False)
    alice.erase()
    platform.fail("/v3/memories/add/", 400, skip=1)
    with pytest.raises(StoreUnavailable):
        alice.add(turns, infer=False)
    assert kept(platform, alice) == set()


def test_correction_is_read_again(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    platform.state.odd.ignoring = True
    with pytest.raises(NotConfirmed):
        alice.update(item.id, "I am vegan.")
    platform.state.odd.ignoring = False
    assert alice.update(item.id, "I am vegan.").text == "I am vegan."


def test_history_is_the_platforms_and_cannot_be_purged(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    alice.update(item.id, "I am vegan.")
    versions = alice.history(item.id)
    assert [(v.seq, v.event, v.old, v.new) for v in versions] == [
        (1, "ADD", None, "I am vegetarian."), (2, "UPDATE", "I am vegetarian.", "I am vegan."),
    ]  # fmt: skip
    with pytest.raises(BadQuery, match="cannot remove one earlier wording"):
        alice.purge_version(item.id, 1)
    assert alice.history(item.id) == versions
    assert current_store().abilities.keeps_history is False


def test_limits_say_what_cannot_be_verified(platform: Platform, alice: ScopedMemory) -> None:
    assert any("unverifiable: the Platform's internals" in limit for limit in current_store().abilities.limits)
    assert (alice.entities(), alice.messages(), alice.past()) == ([], [], [])
    assert current_store().abilities.fenced is False


# --- is it gone? ------------------------------------------------------------------------------------------------------


def three(memory: ScopedMemory) -> list[str]:
    return [memory.add(f"Note {number}.")[0].id for number in range(3)]


DELETIONS: dict[str, Callable[[ScopedMemory, list[str]], object]] = {
    "delete": lambda memory, ids: memory.delete(ids[0]),
    "delete_many": lambda memory, ids: memory.delete_many(ids),
    "delete_matching": lambda memory, ids: memory.delete_matching(Filters(), expected=3),
    "erase": lambda memory, ids: memory.erase(),
}


@pytest.mark.parametrize("verb", DELETIONS)
def test_deleted_is_never_believed(platform: Platform, alice: ScopedMemory, verb: str) -> None:
    ids = three(alice)
    platform.state.odd.lying = True
    with pytest.raises(NotConfirmed, match="still shows"):
        DELETIONS[verb](alice, ids)
    assert alice.count() == 3
    assert [found.count for found in alice.residue()][0] == 3
    platform.state.odd.lying = False
    DELETIONS[verb](alice, ids)  # a repeat finishes it
    assert alice.count() == (2 if verb == "delete" else 0)


@pytest.mark.parametrize("verb", DELETIONS)
def test_deletion_waits_until_it_is_seen(platform: Platform, alice: ScopedMemory, bob: ScopedMemory, verb: str) -> None:
    ids = three(alice)
    platform.state.odd.polls, platform.state.odd.ghosts = 2, 3
    removed = DELETIONS[verb](alice, ids)
    assert removed.memories == (1 if verb == "delete" else 3)  # type: ignore[attr-defined]
    assert alice.count() == (2 if verb == "delete" else 0)
    assert bob.count() == 3


def test_erasure_whose_event_fails_goes_on_by_ids(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    three(alice)
    platform.state.odd.failing = True
    assert alice.erase().memories == 3
    assert (kept(platform, alice), len(kept(platform, bob))) == (set(), 3)
    assert platform.count("memories_batch_delete") == 1


def test_erasure_whose_event_does_not_end_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    three(alice)
    platform.state.odd.never = True
    with pytest.raises(NotConfirmed):
        alice.erase()
    platform.state.odd.never = False
    assert alice.erase().memories == 3
    assert alice.erase().memories == 0
    assert platform.state.users_removed == [str(alice.subject)] * 2


def test_erasure_takes_rows_that_somebody_wrote_meanwhile(platform: Platform, alice: ScopedMemory) -> None:
    """Whoever has a key can write past the portal's gate."""
    three(alice)
    platform.state.odd.seconds = 0.1
    writer = threading.Timer(0.15, lambda: platform.state.store(memory="Late.", user_id=str(alice.subject), late=-1))
    writer.start()
    removed = alice.erase().memories
    writer.join()
    assert removed in (3, 4)
    assert alice.erase().memories == 4 - removed
    assert kept(platform, alice) == set()


def test_erasure_of_odd_subjects_asks_for_their_own_path(platform: Platform, bob: ScopedMemory) -> None:
    from memoryportal.memory import SubjectId

    for name in ("a/b", "a%2Fb", "..", ".", "a?b=c", "a#b", "ünï", "a&user_id=b"):
        memory = ScopedMemory(SubjectId(name))
        memory.add("Mine.")
        assert memory.erase().memories == 1
    assert platform.state.users_removed == ["a/b", "a%2Fb", "a?b=c", "a#b", "ünï", "a&user_id=b"]
    assert bob.count() == 3


def test_residue_is_read_on_connections_of_its_own(platform: Platform, alice: ScopedMemory) -> None:
    three(alice)
    current_store().client._connected().client.close()  # type: ignore[attr-defined]
    assert [(found.place, found.count) for found in alice.residue()] == [("memories", 3), ("history", 0), ("messages", 0)]
    current_store().client.close()  # type: ignore[attr-defined]


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "error"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_shut_gate_sends_nothing(
    platform: Platform, alice: ScopedMemory, state: controls.State, error: type[Exception]
) -> None:
    item = alice.add("I like tea.")[0]
    controls.shut(current_store(), alice.subject, state)
    with pytest.raises(error):
        current_store().add(alice.scope, [{"role": "user", "content": "I like cake."}], True, None, None)
    if state == "erasing":
        with pytest.raises(error):
            alice.update(item.id, "I like coffee.")
    assert platform.count("memories_add_v3") == 1
    assert platform.count("memories_update") == 0
    assert kept(platform, alice) == {"I like tea."}
    controls.reopen(current_store(), alice.subject, state)


def test_eraser_waits_for_an_addition_that_is_on_its_way(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.seconds = 0.2
    adding = threading.Thread(target=alice.add, args=("I like tea.",))
    adding.start()
    while not platform.count("event_read"):
        pass
    controls.shut(current_store(), alice.subject, "erasing")
    assert kept(platform, alice) == {"I like tea."}  # its end was waited for
    adding.join()
    assert alice.erase().memories == 1
    controls.reopen(current_store(), alice.subject, "erasing")


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.fixture
def unset() -> Iterator[None]:
    with override_settings(MEM0_CONFIG="", MEM0_API_KEY="m0-key", MEM0_HOST=""):
        yield


def test_key_chooses_the_platform(unset: None) -> None:
    configured = configuration()
    assert (configured.provider, configured.store["host"]) == ("platform", "https://api.mem0.ai")
    assert configured.collection != "memories"  # side tables of its own


def test_key_and_own_store_refuse_each_other(unset: None) -> None:
    with override_settings(MEM0_CONFIG='{"vector_store": {"provider": "pgvector"}}'), pytest.raises(StoreRefused):
        configuration()


@pytest.mark.parametrize("host", ["http://api.mem0.ai", "api.mem0.ai", "ftp://api.mem0.ai", "http://127.0.0.1.evil.org"])
def test_key_travels_encrypted_only(unset: None, host: str) -> None:
    with override_settings(MEM0_HOST=host), pytest.raises(StoreRefused):
        configuration()
