"""rename_subject: everything of one id, by its exact bytes, to an id that nobody has; all of it or nothing."""

import json
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg.conninfo import make_conninfo

from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import known_pseudonym
from memoryportal.memory import BadQuery, ScopedMemory, StoreUnavailable, SubjectId, controls
from memoryportal.memory.configuration import configuration
from memoryportal.memory.rename import rename_subject
from memoryportal.memory.stores import current_store
from tests.audit.breaking import broken_trail

from .planted import TABLES, Superuser, fill_places, payload, plant, stored

COMMAND = "rename_subject"
REFUSED_TODAY = ["*", " a ", "john smith", "a\u200bb", "e\u0301lise", "a,b", "", "x" * 300]


def _plant_past_the_gate(superuser: Superuser, *subjects: str) -> list[str]:
    """Rows of a plain mem0 from before the gate stood."""
    superuser.execute("SET session_replication_role = replica")
    try:
        return plant(superuser, [payload(subject, f"old text of {subject!r}") for subject in subjects])
    finally:
        superuser.execute("RESET session_replication_role")


@pytest.mark.parametrize("old", REFUSED_TODAY, ids=ascii)
def test_rows_of_an_id_that_is_refused_today_are_reached_again(superuser: Superuser, old: str) -> None:
    twins = [other for other in REFUSED_TODAY if other != old] + ["a", "johnsmith", "élise"]
    (memory_id, *_) = _plant_past_the_gate(superuser, old, *twins)
    moved = rename_subject(old, SubjectId("rescued"))
    assert moved == {**dict.fromkeys(TABLES, 0), "memories": 1}
    rescued = ScopedMemory(SubjectId("rescued"))
    assert [item.id for item in rescued.page().items] == [memory_id]
    rest = superuser.execute("SELECT payload->>'user_id' FROM memories WHERE id <> %s", (memory_id,)).fetchall()
    assert sorted(row[0] for row in rest) == sorted(twins)
    assert rescued.erase().memories == 1


def test_every_place_moves(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    own, _ = fill_places(superuser, alice, bob)
    foreign, held = stored(superuser, bob.subject), alice.held()
    assert rename_subject(str(alice.subject), SubjectId("new-id")) == dict.fromkeys(TABLES, 1)
    moved = ScopedMemory(SubjectId("new-id"))
    assert moved.held() == held
    assert moved.get(own).text.startswith("I drink tea")
    assert controls.gate_states(current_store(), SubjectId("new-id")) == {("x", "paused")}
    assert not any(stored(superuser, alice.subject).values())
    assert stored(superuser, bob.subject) == foreign


def test_two_people_never_become_one(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    fill_places(superuser, alice, bob)
    for table in TABLES:  # whatever is left of him is enough
        before = stored(superuser)
        with pytest.raises(BadQuery):
            rename_subject(str(alice.subject), bob.subject)
        assert stored(superuser) == before
        owner = "payload->>'user_id'" if table in ("memories", "memories_entities") else "subject"
        superuser.execute(f"DELETE FROM {table} WHERE {owner} = %s", (str(bob.subject),))  # type: ignore[arg-type]


def test_a_failure_in_the_middle_moves_nothing(superuser: Superuser, alice: ScopedMemory) -> None:
    fill_places(superuser, alice)
    before = stored(superuser)
    superuser.execute("ALTER TABLE memories_messages ADD CONSTRAINT refused CHECK (subject <> 'new-id')")
    try:
        with pytest.raises(StoreUnavailable) as failure:
            rename_subject(str(alice.subject), SubjectId("new-id"))
    finally:
        superuser.execute("ALTER TABLE memories_messages DROP CONSTRAINT refused")
    assert "said" not in str(failure.value)
    assert stored(superuser) == before
    _assert_forced(superuser)


def test_the_wall_stands_afterwards(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    fill_places(superuser, alice, bob)
    rename_subject(str(alice.subject), SubjectId("new-id"))
    _assert_forced(superuser)
    with psycopg.connect(configuration().owner_dsn, autocommit=True) as owner:
        assert owner.execute("SELECT count(*) FROM memories").fetchone() == (0,)
    with pytest.raises(psycopg.Error) as refusal:
        superuser.execute("UPDATE memories SET payload = payload || %s", (json.dumps({"user_id": "carol"}),))
    assert refusal.value.sqlstate == "MP005"  # the door that renaming opens is shut again


def _assert_forced(superuser: Superuser) -> None:
    rows = superuser.execute(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = ANY(%s)", (list(TABLES),)
    ).fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        table: (True, table not in ("memories_gate", "memories_uses")) for table in TABLES
    }


def test_the_portals_own_login_cannot_rename(superuser: Superuser, alice: ScopedMemory) -> None:
    fill_places(superuser, alice)
    before = stored(superuser)
    for role in ("memoryportal_scoped", "memoryportal_app"):
        with pytest.raises(StoreUnavailable):
            rename_subject(str(alice.subject), SubjectId("new-id"), make_conninfo(configuration().owner_dsn, user=role))
    assert stored(superuser) == before
    _assert_forced(superuser)


# --- the command -----------------------------------------------------------------------------------------------------


def _events() -> list[tuple[object, ...]]:
    rows = Event.objects.filter(action__startswith="memory.move").order_by("seq")
    return [(row.action, row.actor, row.subject, row.reason, row.details) for row in rows]


@pytest.mark.django_db(transaction=True)
def test_the_reason_is_in_the_trail_before_anything_moves(superuser: Superuser, alice: ScopedMemory) -> None:
    (memory_id,) = _plant_past_the_gate(superuser, "alice@example.org ")
    call_command(
        COMMAND, "alice@example.org ", "rescued", reason="ticket 17, asked by a@example.org", stdout=StringIO()
    )
    assert [item.id for item in ScopedMemory(SubjectId("rescued")).page().items] == [memory_id]
    named, reason = known_pseudonym(SubjectId("rescued")), "ticket 17, asked by (address)"
    assert _events() == [
        ("memory.move-asked", "operator", named, reason, {}),
        ("memory.moved", "operator", named, reason, {"count": 1}),
    ]
    assert "alice" not in str(list(Event.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_what_the_trail_cannot_say_does_not_happen(superuser: Superuser) -> None:
    _plant_past_the_gate(superuser, "alice ")
    before = stored(superuser)
    with broken_trail(), pytest.raises(CommandError, match="nothing was done"):
        call_command(COMMAND, "alice ", "rescued", reason="ticket 17")
    assert stored(superuser) == before
    assert _events() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("new", "reason"), [("rescued", " "), ("*", "ticket 17")])
def test_without_a_reason_or_an_id_nothing_moves(superuser: Superuser, new: str, reason: str) -> None:
    _plant_past_the_gate(superuser, "alice ")
    before = stored(superuser)
    with pytest.raises(CommandError):
        call_command(COMMAND, "alice ", new, reason=reason)
    assert stored(superuser) == before
    assert _events() == []
