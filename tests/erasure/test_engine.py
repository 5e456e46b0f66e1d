"""What the engine reaches, how it counts, and how it reads everything again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, services
from memoryportal.erasure.lease import claim
from memoryportal.erasure.models import Channel, Erasure, Scope
from memoryportal.erasure.reach import Reach
from memoryportal.erasure.states import State
from memoryportal.erasure.verification import Questions
from memoryportal.memory import SubjectId
from tests.accounts.helpers import person
from tests.memory.model_server import running
from tests.memory.planted import payload, plant

from .children import Death, carry_out, run_in_child
from .house import COOKS, PLANTED, House, again, assert_ended_well, counts, ends_of

pytestmark = pytest.mark.django_db(transaction=True)


# --- what it reaches ------------------------------------------------------------------------------------------------


def test_everything_goes_and_is_counted(house: House) -> None:
    assert_ended_well(house, engine.run(house.ask()))


def test_several_ids_in_one_request(house: House) -> None:
    other = SubjectId("u_alice-elsewhere")
    house.fill(other)
    erasure = services.ask(house.alice, house.subject, other)
    decisions_needed(erasure, house)
    erasure = engine.run(erasure)
    assert erasure.state == State.COMPLETED
    twice = {place: (2 * count, 2 * count, 0) for place, count in PLANTED.items()}
    assert {place: found for place, found in counts(erasure).items() if place in PLANTED} == twice
    assert not any(house.rows(house.alice).values())
    assert house.rows(house.bob) == house.others


def decisions_needed(erasure: Erasure, house: House) -> None:
    """The second id is not the account's own, so somebody has to agree."""
    assert erasure.state == State.APPROVAL
    decisions.approve(erasure.pk, house.bob)
    decisions.begin_now(erasure.pk, decisions.officer(house.bob))


def test_what_one_assistant_remembers(house: House) -> None:
    """Its memories with their history, its messages and uses; a name goes only where nobody else links to it."""
    before = house.rows(house.alice)
    erasure = engine.run(house.ask(scope=Scope.ASSISTANT, agent="cook"))
    after = house.rows(house.alice)
    assert erasure.state == State.COMPLETED
    assert {place: found for place, found in counts(erasure).items() if place in COOKS} == {
        place: (count, count, 0) for place, count in COOKS.items()
    }
    for table, rows in after.items():
        assert not any('"cook"' in row for row in rows), table
    untouched = {table: set(after[table]) for table in after if table != "memories_entities"}
    assert all(rows <= set(before[table]) for table, rows in untouched.items())
    assert {table: len(rows) for table, rows in after.items()} == {
        "memories": 2,
        "memories_entities": 2,
        "memories_history": 5,
        "memories_messages": 2,
        "memories_uses": 2,
        "memories_never": 1,
    }
    assert len([row for row in after["memories_entities"] if row in before["memories_entities"]]) == 1
    assert house.rows(house.bob) == house.others
    assert house.gates() == {("cook", "paused")}


def test_a_name_that_another_assistants_memory_links_to_stays(house: House) -> None:
    memory_id = plant(house.superuser, [payload(house.subject, "I like Porto", agent_id="planner")])[0]
    house.superuser.execute(
        "UPDATE memories_entities SET payload = jsonb_set(payload, '{linked_memory_ids}', "
        "payload->'linked_memory_ids' || to_jsonb(%s::text)) WHERE payload->>'data' = 'Porto' "
        "AND payload->>'user_id' = %s",
        (memory_id, house.subject),
    )
    erasure = engine.run(house.ask(scope=Scope.ASSISTANT, agent="cook"))
    assert erasure.state == State.COMPLETED
    names = {entity.text: entity.memory_ids for entity in house.memory.entities()}
    assert names["Porto"] == [memory_id]


def test_somebody_who_never_existed(house: House) -> None:
    erasure = services.file(Channel.HOST, [SubjectId("nobody-at-all")], vouched=True)
    decisions.approve(erasure.pk, house.bob)
    decisions.begin_now(erasure.pk, decisions.officer(house.bob))
    erasure = engine.run(erasure)
    assert erasure.state == State.COMPLETED
    assert set(counts(erasure).values()) == {(0, 0, 0)}
    assert erasure.questions is None
    assert house.rows(house.alice) == house.before
    assert house.rows(house.bob) == house.others


def test_stopped_wordings_are_kept_where_that_was_asked(house: House) -> None:
    erasure = engine.run(house.ask(keep_never=True))
    assert erasure.state == State.COMPLETED
    assert "never" not in counts(erasure)
    assert len(house.rows(house.alice)["memories_never"]) == 1


def test_whoever_signs_up_again_with_the_same_address_begins_anew(house: House) -> None:
    filed = services.file(Channel.FORM, address=house.alice.email, told="I am Alice.")
    engine.run(house.ask())
    address, old = house.alice.email, house.alice.subject
    house.alice.delete()
    again = person(address)
    assert again.subject != old
    with pytest.raises(services.ErasureNotFound):
        services.own(again, filed.pk)
    assert services.history(again) == []
    erasure = engine.run(services.ask(again, SubjectId(again.subject)))
    assert erasure.subjects == [again.subject]
    assert Erasure.objects.get(pk=filed.pk).state == State.IDENTITY


def test_a_double_click_makes_one(house: House) -> None:
    barrier = threading.Barrier(4)

    def click() -> object:
        barrier.wait()
        try:
            return house.ask().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as executor:
        asked = {future.result() for future in [executor.submit(click) for _ in range(4)]}
    assert asked == set(Erasure.objects.values_list("pk", flat=True))
    assert len(asked) == 1
    assert Event.objects.filter(action="erasure.asked").count() == 1


def test_once_more_after_the_end_finds_nothing(house: House) -> None:
    engine.run(house.ask())
    second = engine.run(house.ask())
    assert set(counts(second).values()) == {(0, 0, 0)}
    assert ends_of(second) == ["erasure.done"]


# --- verification ---------------------------------------------------------------------------------------------------


@contextmanager
def coming_back(house: House, monkeypatch: pytest.MonkeyPatch, times: int) -> Iterator[None]:
    """After each of the first `times` readings a row is there that no gate has seen, as from a restored page."""
    left, read = [times], Reach.read_again

    def reading(reach: Reach) -> Any:
        found = read(reach)
        if left[0]:
            left[0] -= 1
            house.superuser.execute("SET session_replication_role = replica")
            plant(house.superuser, [payload(house.subject, "I am back")])
            house.superuser.execute("RESET session_replication_role")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Reach, "read_again", reading)
        yield


def test_a_row_that_comes_back_between_the_two_readings_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with coming_back(house, monkeypatch, times=1):
        erasure = engine.run(house.ask())
    assert erasure.state == State.COMPLETED
    assert counts(erasure)["memories"] == (5, 5, 0)
    assert not house.rows(house.alice)["memories"]


def test_rows_that_keep_coming_back_are_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with coming_back(house, monkeypatch, times=100):
        erasure = engine.run(house.ask())
    assert erasure.state == State.COMPLETED_WITH_EXCEPTIONS
    found, removed, left = counts(erasure)["memories"]
    assert left == 1  # after the second reading of the last round there is a second one, which nobody has seen
    assert found == removed + left
    assert [step.place for step in erasure.steps.all() if not step.is_empty] == ["memories"]
    assert ends_of(erasure) == ["erasure.done"]
    receipt = erasure.receipt["receipt"]
    assert [place["left"] for place in receipt["places"] if place["place"] == "memories"] == [1]


def test_the_search_is_repeated_with_up_to_twenty_questions(house: House) -> None:
    erasure = engine.run(house.ask())
    assert (erasure.questions, erasure.answered) == (4, 0)
    house.reopen()
    plant(house.superuser, [payload(house.subject, f"I know number {n}") for n in range(30)])
    erasure = engine.run(house.ask())
    assert (erasure.questions, erasure.answered) == (20, 0)


def test_after_a_restart_the_search_is_not_repeated(house: House) -> None:
    erasure = house.ask()
    death = Death("memoryportal.erasure.reach:Reach._erase_memories", "after")
    assert run_in_child(carry_out, erasure.pk, death) == -9
    erasure = again(erasure)
    assert (erasure.state, erasure.questions, erasure.answered) == (State.COMPLETED, None, None)
    assert "questions are never written down" in erasure.receipt["receipt"]["search"]["not_repeated"]


def test_questions_stand_nowhere(house: House) -> None:
    plant(house.superuser, [payload(house.subject, "zimtstern zimtstern")])
    questions = []
    erasure = house.ask()
    lease = claim(erasure.pk)
    assert lease is not None
    questions = Questions.taken_from(Reach(lease))
    assert any("zimtstern" in text for text in questions.texts)
    assert "zimtstern" not in repr(questions)


def test_no_embedder_is_needed(house: House, settings: Any) -> None:
    with running() as server:
        settings.MEM0_CONFIG = server.mem0_config(llm=False)
    erasure = engine.run(house.ask())
    assert (erasure.state, erasure.questions) == (State.COMPLETED, None)
    assert_ended_well(house, erasure)


SAMPLING = {
    "a column": (
        "ALTER TABLE memories_history ALTER COLUMN new_memory SET STATISTICS 100",
        "ALTER TABLE memories_history ALTER COLUMN new_memory SET STATISTICS 0",
        "memories_history.new_memory",
    ),
    "the default": (
        "ALTER TABLE memories ALTER COLUMN payload SET STATISTICS -1",
        "ALTER TABLE memories ALTER COLUMN payload SET STATISTICS 0",
        "memories.payload",
    ),
    "an index": (
        "CREATE INDEX somebodys_idx ON memories (lower(payload->>'data'))",
        "DROP INDEX somebodys_idx",
        "somebodys_idx",
    ),
    "extended statistics": (
        "CREATE STATISTICS somebodys_stx (mcv) ON subject, agent FROM memories_messages",
        "DROP STATISTICS somebodys_stx",
        "somebodys_stx",
    ),
}


@pytest.mark.parametrize("how", SAMPLING)
def test_statistics_that_keep_samples_of_texts_are_named(house: House, how: str) -> None:
    """Whoever has switched them on can see the texts after the rows are gone."""
    on, off, name = SAMPLING[how]
    house.superuser.execute(on)
    try:
        house.superuser.execute("ANALYZE memories")
        erasure = engine.run(house.ask())
    finally:
        house.superuser.execute(off)
    assert erasure.state == State.COMPLETED_WITH_EXCEPTIONS
    (step,) = [step for step in erasure.steps.all() if not step.is_empty]
    assert (step.place, step.left) == ("memories", 0)
    assert name in step.problem
    house.reopen()
    assert engine.run(house.ask()).state == State.COMPLETED
