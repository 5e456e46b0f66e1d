"""Which ids are refused, and that those which look alike are kept apart everywhere."""

import unicodedata
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoryportal.memory import BadQuery, Filters, InvalidSubject, Scope, ScopedMemory, SubjectId

from .. import hostile
from .planted import Superuser, payload, plant, plant_entity, plant_message, stored


@pytest.mark.parametrize(
    "value", [*hostile.REFUSED.values(), *hostile.UNSTORABLE.values()], ids=[*hostile.REFUSED, *hostile.UNSTORABLE]
)
def test_an_id_that_could_be_somebody_elses_is_refused(value: str) -> None:
    for make in (SubjectId, lambda v: Filters(agent=v), lambda v: Filters(run=v)):
        with pytest.raises(InvalidSubject) as refusal:
            make(value)
        assert value not in str(refusal.value) or len(value) < 2  # the refusal repeats no id
    for name in ("agent", "run"):
        with pytest.raises(InvalidSubject):
            ScopedMemory(SubjectId("a"), **{name: value})


@pytest.mark.parametrize("value", hostile.NO_TEXT.values(), ids=hostile.NO_TEXT)
def test_what_is_no_text_is_refused_and_not_turned_into_one(value: object) -> None:
    with pytest.raises(InvalidSubject):
        SubjectId(value)  # type: ignore[arg-type]


def test_every_entry_of_the_corpus_is_what_its_mark_says() -> None:
    marks = {name: (_mark(value), mark) for name, value, mark in hostile.corpus()}
    assert {name: pair for name, pair in marks.items() if pair[0] != pair[1]} == {}
    assert len(marks) > 150


def _mark(value: object) -> str:
    try:
        SubjectId(value)  # type: ignore[arg-type]
    except InvalidSubject:
        return "refused"
    return "kept apart"


@pytest.mark.parametrize("subject", ["alice", None, 1, pytest.param(object(), id="object")], ids=repr)
def test_a_scope_takes_a_checked_subject_only(subject: object) -> None:
    with pytest.raises(InvalidSubject):
        Scope(subject)  # type: ignore[arg-type]
    with pytest.raises(InvalidSubject):
        ScopedMemory(subject)  # type: ignore[arg-type]


def test_a_scope_cannot_be_changed_afterwards() -> None:
    scope = Scope(SubjectId("a"))
    for name in ("subject", "agent", "run"):
        with pytest.raises(FrozenInstanceError):
            setattr(scope, name, SubjectId("b"))
    with pytest.raises(AttributeError):
        ScopedMemory(SubjectId("a")).subject = SubjectId("b")  # type: ignore[misc]


@given(st.text(max_size=140))
def test_a_subject_is_refused_or_kept_exactly(value: str) -> None:
    try:
        subject = SubjectId(value)
    except InvalidSubject:
        return
    assert str(subject) == value
    assert value == value.strip()
    assert not {"*", ",", "\0"} & set(value)
    assert 0 < len(value) <= 128
    assert unicodedata.is_normalized("NFC", value)
    value.encode()


@given(
    st.dictionaries(
        st.sampled_from(["user_id", "agent_id", "run_id"]),
        st.sampled_from(["a", "b", "ab", "A", "a ", "", ["a"], None, 1]) | st.text(max_size=3),
    )
)
def test_a_scope_owns_equal_ids_only(row: dict[str, object]) -> None:
    assert Scope(SubjectId("a")).owns(row) == (row.get("user_id") == "a")
    assert Scope(SubjectId("a"), "b").owns(row) == (row.get("user_id") == "a" and row.get("agent_id") == "b")


def test_days_without_a_zone_are_refused() -> None:
    with pytest.raises(BadQuery):
        Filters(since=datetime(2026, 1, 1))
    with pytest.raises(BadQuery):
        Filters(until=datetime(2026, 1, 1))


@pytest.mark.parametrize("value", [date.min, date.max, *(v.replace(tzinfo=UTC) for v in (datetime.min, datetime.max))])
@pytest.mark.parametrize("name", ["since", "until"])
def test_days_at_the_ends_of_the_calendar_are_refused(name: str, value: date) -> None:
    with pytest.raises(BadQuery, match=f"{name} lies at the very end of the calendar"):
        Filters(**{name: value})


@pytest.mark.parametrize("value", hostile.REFUSED.values(), ids=hostile.REFUSED)
def test_the_database_refuses_the_same_ids(superuser: Superuser, value: str) -> None:
    """A row that plain mem0 wrote under such an id could never be seen or erased by its owner."""
    with pytest.raises(psycopg.Error) as refusal:
        plant(superuser, [payload(value, "text of nobody")])
    assert refusal.value.sqlstate in ("MP003", "22P05")  # 22P05: jsonb cannot hold NUL at all
    assert not any(stored(superuser).values())


def test_the_database_refuses_the_same_characters(superuser: Superuser) -> None:
    storable = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    refused = [_is_refused(character) for character in storable]
    assigned = [unicodedata.category(character) != "Cn" for character in storable]  # the database has no list of those
    edges = [
        number
        for number in range(len(storable))
        if assigned[number] and (refused[number - 1 : number + 2] != [refused[number]] * 3)
    ]
    assert len(edges) > 50
    for number in edges:
        in_database = _is_refused_by_the_database(superuser, f"a{storable[number]}b")
        assert in_database == refused[number], hex(ord(storable[number]))


def _is_refused(character: str) -> bool:
    try:
        SubjectId(f"a{character}b")
    except InvalidSubject:
        return True
    return False


def _is_refused_by_the_database(superuser: Superuser, subject: str) -> bool:
    try:
        plant(superuser, [payload(subject, "text of nobody")])
    except psycopg.Error as error:
        if error.sqlstate != "MP003":
            raise
        return True
    return False


@pytest.mark.parametrize(("one", "other"), hostile.TWINS, ids=[f"{a[:20]} {b[:20]}" for a, b in hostile.TWINS])
def test_ids_that_look_alike_are_kept_apart_in_every_place(superuser: Superuser, one: str, other: str) -> None:
    mine, theirs = ScopedMemory(SubjectId(one)), ScopedMemory(SubjectId(other))
    ours = {owner: _fill(superuser, owner) for owner in (mine, theirs)}
    for me, them in ((mine, theirs), (theirs, mine)):
        own = {ours[me].id}
        assert {item.id for item in me.page().items} == own
        assert me.page().total == me.count() == me.summary().total == 1
        assert {hit.item.id for hit in me.search("bicycle").hits} == own
        assert {hit.item.id for hit in me.search("bicycle", by="word").hits} == own
        assert {item.id for item in me.walk()} == own
        assert [version.memory_id for version in me.history(ours[me].id)] == [ours[me].id]
        assert me.held() == {"memories": 1, "entities": 1, "history": 1, "messages": 1, "uses": 6, "never": 0}
        assert [message.text for message in me.messages()] == [f"buffered by {me.subject}"]
        assert [entity.text for entity in me.entities()] == [f"noted by {me.subject}"]
        for look in (me.get, me.history, me.delete):
            with pytest.raises(LookupError):
                look(ours[them].id)
    before = stored(superuser, other)
    mine.erase()
    assert stored(superuser, other) == before
    assert not any(stored(superuser, one).values())


def _fill(superuser: Superuser, owner: ScopedMemory):
    item = owner.add("rides a red bicycle")[0]
    plant_entity(superuser, owner.subject, f"noted by {owner.subject}", [item.id])
    plant_message(superuser, owner.subject, f"buffered by {owner.subject}")
    return item
