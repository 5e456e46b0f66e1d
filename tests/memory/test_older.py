"""What was written before a moment goes from every place, what came after it stays; and who has rows at all."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings as portal
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from memoryportal.memory import ScopedMemory, StoreUnavailable
from memoryportal.memory.older import erase_older, older
from memoryportal.memory.owners import owners

from .conftest import Person
from .planted import Superuser, fill_places, payload, plant, plant_entity, plant_history, plant_message, stored

pytestmark = pytest.mark.django_db
MOMENT = datetime.now(UTC) - timedelta(days=1)
BEFORE, AFTER = (MOMENT + timedelta(hours=hours) for hours in (-1, 1))


def at(moment: datetime) -> str:
    return moment.isoformat()


def texts(memory: ScopedMemory) -> set[str]:
    return {item.text for item in memory.walk()}


def test_where_nothing_is_newer_everything_goes(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    fill_places(superuser, alice, bob)
    superuser.execute("UPDATE memories_messages SET created_at = %s", (BEFORE,))
    superuser.execute("UPDATE memories_never SET since = %s", (BEFORE,))
    superuser.execute(
        "UPDATE memories SET payload = payload || jsonb_build_object('created_at', %s::text)", (at(BEFORE),)
    )
    bobs = stored(superuser, bob.subject)
    assert older(alice, MOMENT) > 0
    counts = erase_older(alice, MOMENT)
    assert all(counts[place] == 1 for place in ("memories", "entities", "history", "messages", "uses", "never"))
    assert set(alice.held().values()) == {0}
    assert older(alice, MOMENT) == 0
    assert stored(superuser, bob.subject) == bobs
    assert sum(erase_older(alice, MOMENT).values()) == 0, "again: nothing is left to do"


def test_what_came_after_stays_whole(superuser: Superuser, alice: ScopedMemory) -> None:
    old, new = plant(
        superuser,
        [payload(alice.subject, "old", created_at=at(BEFORE)), payload(alice.subject, "new", created_at=at(AFTER))],
    )
    gone = str(uuid.uuid4())
    plant_entity(superuser, alice.subject, "Old", [old])
    plant_entity(superuser, alice.subject, "Both", [old, new])
    plant_entity(superuser, alice.subject, "Of something that plain mem0 deleted", [gone])
    plant_entity(superuser, alice.subject, "New", [new])
    for memory_id in (old, new, gone):
        plant_history(superuser, alice.subject, memory_id, None, f"of {memory_id}")
    for run, moment in (("then", BEFORE), ("now", AFTER)):
        plant_message(superuser, alice.subject, run, "cook", run)
        superuser.execute("UPDATE memories_messages SET created_at = %s WHERE run = %s", (moment, run))
        superuser.execute(
            "INSERT INTO memories_uses (subject, memory_id, at) VALUES (%s, %s, %s)", (alice.subject, new, moment)
        )
        superuser.execute(
            "INSERT INTO memories_never (subject, digest, salt, key_name, since) VALUES (%s, %s, 's', 'k', %s)",
            (alice.subject, run.encode(), moment),
        )
    assert older(alice, MOMENT) > 0
    counts = erase_older(alice, MOMENT)
    assert counts == {"memories": 1, "entities": 2, "history": 2, "messages": 1, "uses": 1, "never": 1}
    assert texts(alice) == {"new"}
    assert {(name.text, tuple(name.memory_ids)) for name in alice.entities()} == {("Both", (new,)), ("New", (new,))}
    assert [version.new for version in alice.history(new)] == [f"of {new}"]
    assert [message.text for message in alice.messages()] == ["now"]
    assert alice.held() == {"memories": 1, "entities": 2, "history": 1, "messages": 1, "uses": 1, "never": 1}
    assert older(alice, MOMENT) == 0
    assert sum(erase_older(alice, MOMENT).values()) == 0


@pytest.mark.parametrize("created", [None, "", "yesterday", 17, "2999-01-01T00:00:00+00:00", "9999-12-31"])
def test_a_memory_that_does_not_say_when_goes(superuser: Superuser, alice: ScopedMemory, created: Any) -> None:
    """An assistant can write anything there; a time to come would else outlive every erasure."""
    plant(superuser, [payload(alice.subject, "when?", created_at=created), payload(alice.subject, "new")])
    assert erase_older(alice, MOMENT)["memories"] == 1
    assert texts(alice) == {"new"}


def test_history_of_what_is_gone_is_told_by_its_own_times(superuser: Superuser, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, "new")])
    for created, updated, word in ((BEFORE, None, "old"), (BEFORE, AFTER, "changed after"), (AFTER, None, "new")):
        number = plant_history(superuser, alice.subject, str(uuid.uuid4()), None, word)
        superuser.execute(
            "UPDATE memories_history SET created_at = %s, updated_at = %s WHERE seq = %s",
            (at(created), at(updated) if updated else None, number),
        )
    assert erase_older(alice, MOMENT)["history"] == 1
    assert {version.new for version in alice.past()} == {"changed after", "new"}


def test_of_one_assistant_only_its_own_goes(superuser: Superuser, person: Person) -> None:
    alice = person("alice")
    cook = ScopedMemory.for_person(alice.subject, agent="cook")
    for agent in ("cook", "planner"):
        for created in (BEFORE, AFTER):
            text = f"{agent} {'old' if created == BEFORE else 'new'}"
            plant(superuser, [payload(alice.subject, text, agent_id=agent, created_at=at(created))])
            plant_message(superuser, alice.subject, text, agent, text)
            superuser.execute("UPDATE memories_messages SET created_at = %s WHERE run = %s", (created, text))
    plant_history(superuser, alice.subject, str(uuid.uuid4()), None, "nobody knows whose")
    erase_older(cook, MOMENT)
    assert texts(alice) == {"cook new", "planner old", "planner new"}
    assert {message.text for message in alice.messages()} == {"cook new", "planner old", "planner new"}
    assert alice.held()["history"] == 1
    assert older(cook, MOMENT) == 0
    assert older(alice, MOMENT) > 0


def test_stopped_wordings_stay_where_the_person_wished_it(superuser: Superuser, alice: ScopedMemory) -> None:
    fill_places(superuser, alice)
    superuser.execute("UPDATE memories_never SET since = %s", (BEFORE,))
    superuser.execute("UPDATE memories_messages SET created_at = %s", (BEFORE,))
    for moment in (MOMENT, datetime.now(UTC)):
        erase_older(alice, moment, frozenset({"never"}))
        assert alice.held()["never"] == 1
    assert older(alice, datetime.now(UTC), frozenset({"never"})) == 0
    assert older(alice, datetime.now(UTC)) == 1


@given(ages=st.lists(st.integers(-3, 3), max_size=8))
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_exactly_the_older_ones_go(superuser: Superuser, person: Person, ages: list[int]) -> None:
    alice = person("alice")
    times = [MOMENT + timedelta(hours=hours) for hours in ages]
    rows = [payload(alice.subject, str(number), created_at=at(time)) for number, time in enumerate(times)]
    ids = plant(superuser, rows)
    for memory_id in ids:
        plant_entity(superuser, alice.subject, memory_id, [memory_id])
    kept = {str(number) for number, time in enumerate(times) if time >= MOMENT}
    assert erase_older(alice, MOMENT)["memories"] == len(ages) - len(kept)
    assert texts(alice) == kept
    assert len(alice.entities()) == len(kept)


def test_many_are_deleted_in_batches(superuser: Superuser, alice: ScopedMemory) -> None:
    rows = [payload(alice.subject, str(number), created_at=at(BEFORE)) for number in range(1203)]
    plant(superuser, [*rows, payload(alice.subject, "new")])
    assert erase_older(alice, MOMENT)["memories"] == 1203
    assert texts(alice) == {"new"}


# --- owners -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["", "_entities", "_history", "_messages", "_gate", "_uses", "_never"])
def test_an_owner_of_a_row_in_any_table_is_found(superuser: Superuser, person: Person, table: str) -> None:
    alone, both = person("alone"), person("both")
    fill_places(superuser, both, alone)
    subject = "payload->>'user_id'" if table in ("", "_entities") else "subject"
    for other in {"", "_entities", "_history", "_messages", "_gate", "_uses", "_never"} - {table}:
        column = "payload->>'user_id'" if other in ("", "_entities") else "subject"
        superuser.execute(f"DELETE FROM memories{other} WHERE {column} = %s", (alone.subject,))
    assert {str(alone.subject), str(both.subject)} <= owners()
    superuser.execute(f"DELETE FROM memories{table} WHERE {subject} = %s", (alone.subject,))
    assert alone.subject not in owners()


def test_reading_the_owners_leaves_the_wall_as_it_was(superuser: Superuser, alice: ScopedMemory) -> None:
    fill_places(superuser, alice)
    walls = (
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname LIKE 'memories%' ORDER BY 1"
    )
    before, rows = superuser.execute(walls).fetchall(), stored(superuser)
    assert owners() == {str(alice.subject)}
    assert superuser.execute(walls).fetchall() == before
    assert stored(superuser) == rows


def test_rows_of_nobody_have_no_owner(superuser: Superuser) -> None:
    plant(superuser, [payload(None, "what an assistant knows", agent_id="cook")])
    assert owners() == set()


def test_a_login_that_would_not_see_everybody_is_refused(superuser: Superuser, alice: ScopedMemory) -> None:
    """It would find nobody, and a replay would call that done."""
    fill_places(superuser, alice)
    for role in ("memoryportal_scoped", "memoryportal_app"):
        with pytest.raises(StoreUnavailable):
            owners(make_conninfo(portal.MEMORY_OWNER_URL, user=role))


def test_a_table_that_is_in_use_is_said_and_not_waited_for(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoryportal.memory.owners.LOCK_SECONDS", 1)
    with psycopg.connect(portal.MEMORY_OWNER_URL) as busy:
        busy.execute("LOCK TABLE memories IN ACCESS SHARE MODE")
        with pytest.raises(StoreUnavailable, match=r"the owners of the rows could not be read \(55P03\)"):
            owners()
