"""Verifying: an untouched trail is intact whatever it holds, and no column can change unseen."""

import threading
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from memoryportal.audit.actions import Action
from memoryportal.audit.heads import sign_head
from memoryportal.audit.models import Event
from memoryportal.audit.record import DETAIL_KEYS, OPERATOR, Actor, record
from memoryportal.audit.verify import note_verdict, verify_trail
from memoryportal.base.names import OWNER
from memoryportal.memory.scope import SubjectId

from .forging import COLUMNS, Forger
from .house import House, happen

WORDS = st.text(ascii_letters + digits + "_.:#/+-", max_size=40)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
VALUES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | WORDS
DETAILS = st.dictionaries(st.sampled_from(sorted(DETAIL_KEYS)), VALUES | st.lists(VALUES, max_size=4), max_size=4)
EVENTS = st.fixed_dictionaries(
    {
        "action": st.sampled_from([action for action in Action if action != Action.TRAIL_VERIFIED]),
        "actor": st.builds(Actor, TEXTS, TEXTS),
        "subject": st.none() | st.sampled_from(["alice", "bob", "{carol}", "d'Arc"]).map(SubjectId),
        "object": WORDS,
        "reason": TEXTS,
        "grant": TEXTS,
        "details": DETAILS,
    }
)
MANY = hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def append(events: list[dict[str, Any]]) -> None:
    for event in events:
        record(event.pop("action"), **event)


@MANY
@given(events=st.lists(EVENTS, min_size=1, max_size=6))
def test_any_events_verify(house: House, events: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        append([dict(event) for event in events])
        verdict = verify_trail([])
        assert (verdict.problem, verdict.events) == (None, len(events))
        transaction.set_rollback(True)


@MANY
@given(
    events=st.lists(EVENTS, min_size=2, max_size=5),
    which=st.integers(0, 100),
    column=st.sampled_from([name for name in COLUMNS if name not in ("seq", "at", "details")]),
    value=TEXTS,
)
def test_no_text_column_can_change_unseen(
    house: House, events: list[dict[str, Any]], which: int, column: str, value: str
) -> None:
    house.use(OWNER)
    forger = Forger(Path(settings.AUDIT_HEADS))
    with transaction.atomic():
        append([dict(event) for event in events])
        seq = which % len(events) + 1
        changes = forger.row(seq)[column] != value
        forger.unlocked(f"UPDATE audit_event SET {column} = %s WHERE seq = %s", value, seq)
        verdict = verify_trail([])
        assert (verdict.seq == seq) is changes, verdict
        assert (verdict.problem is not None) is changes
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("seq", "seq + 100"),
        ("at", "at + interval '1 microsecond'"),
        ("at", "at - interval '1 second'"),
        ("details", """'{"count": 3}'"""),
        ("details", """details || '{"first": null}'"""),
        ("subject", "NULL"),
        ("subject", "''"),
        ("prev_hash", "repeat('0', 64)"),
        ("hash", "repeat('0', 64)"),
    ],
)
@pytest.mark.parametrize("seq", [2, 4])
def test_no_other_column_can_change_unseen(house: House, column: str, change: str, seq: int) -> None:
    house.use(OWNER)
    happen(4, details={"count": 2})
    Forger(Path(settings.AUDIT_HEADS)).unlocked(f"UPDATE audit_event SET {column} = {change} WHERE seq = {seq}")
    verdict = verify_trail([])
    assert verdict.problem
    assert verdict.seq == seq


def test_an_empty_trail_is_intact(house: House) -> None:
    assert verify_trail().problem is None
    sign_head()
    assert verify_trail().problem is None
    happen(1)
    assert verify_trail().problem is None


def test_a_head_without_events_is_not(house: House) -> None:
    happen(2)
    with house.connect(OWNER) as owner:
        owner.execute("TRUNCATE audit_event")
    assert "the head does not name the newest event" in str(verify_trail([]).problem)


def test_a_new_chain_beside_the_old_one_is_seen(house: House) -> None:
    """Without its head the trail begins again at 1: the database lets that pass."""
    happen(2)
    with house.connect(OWNER) as owner:
        owner.execute("DELETE FROM audit_head")
    happen(1)
    assert verify_trail([]).seq == 1


def test_events_that_come_meanwhile_are_no_false_alarm(house: House) -> None:
    happen(20)
    stop = threading.Event()

    def write() -> None:
        try:
            while not stop.is_set():
                happen(1)
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        verdicts = []
        for _ in range(30):
            sign_head()
            verdicts.append(verify_trail())
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert [verdict.problem for verdict in verdicts] == [None] * 30
    assert verdicts[-1].events > verdicts[0].events


def test_details_that_somebody_planted_do_not_stop_the_verification(house: House) -> None:
    with house.connect("memoryportal_app") as app:
        for planted in ("[]", '"intact"', "1", "null", '{"state": "intact", "heads": [1], "hash": {"a": 1}}'):
            app.execute("SELECT audit_append('x', 'x', 'trail.verified', NULL, '', '', '', '', %s::jsonb)", [planted])
    assert "signed heads that event 5 compared are missing" in str(verify_trail().problem)


# --- the command -----------------------------------------------------------------------------------------------------


def verify(*arguments: str) -> None:
    call_command("verify_audit", *arguments)


def test_the_command_says_what_it_compared_and_leaves_an_event(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    happen(3)
    sign_head()
    verify()
    assert capsys.readouterr().out == "The trail is intact: 3 events, 1 signed head compared.\n"
    event = Event.objects.latest("seq")
    assert (event.action, event.actor, event.role) == ("trail.verified", "operator", "operator")
    assert (event.details["state"], event.details["count"], event.details["heads"]) == ("intact", 3, 1)


def test_the_command_fails_and_names_the_event(house: House) -> None:
    happen(3)
    with house.connect(OWNER) as owner:
        owner.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_fixed")
        owner.execute("UPDATE audit_event SET actor = '9' WHERE seq = 2")
        owner.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_fixed")
    with pytest.raises(CommandError, match=r"The trail is NOT intact: event 2 was changed\."):
        verify()
    event = Event.objects.latest("seq")
    assert (event.details["state"], event.details["first"]) == ("broken", 2)


def test_the_verdict_is_given_also_where_it_cannot_be_recorded(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    happen(1)
    with house.broken():
        verify()
    said = capsys.readouterr()
    assert "could not be recorded" in said.err
    assert "The trail is intact: 1 events" in said.out


@pytest.fixture
def shipped(house: House, tmp_path: Path) -> Path:
    """The signed heads as they lie somewhere else, while the ones here were tampered with."""
    happen(3)
    sign_head()
    happen(1)
    sign_head()
    copy = tmp_path / "elsewhere.jsonl"
    here = Path(settings.AUDIT_HEADS)
    copy.write_text(here.read_text())
    here.write_text("".join(here.read_text().splitlines(keepends=True)[:1]))
    return copy


def test_shipped_heads_show_what_the_ones_here_cannot(house: House, shipped: Path) -> None:
    with house.connect(OWNER) as owner:
        owner.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_fixed")
        owner.execute("DELETE FROM audit_event WHERE seq = 4")
        owner.execute("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_event WHERE seq = 3)")
        owner.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_fixed")
    assert verify_trail().problem is None
    with pytest.raises(CommandError, match="the trail ends at event 3, but event 4 was signed"):
        verify("--heads", str(shipped))


def test_a_file_that_is_not_there_is_no_success(house: House, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no signed head in"):
        verify("--heads", str(tmp_path / "nowhere"))


def test_heads_that_were_compared_are_missed_when_they_are_gone(house: House) -> None:
    happen(1)
    sign_head()
    assert note_verdict(OPERATOR, verify_trail()) == 2
    Path(settings.AUDIT_HEADS).unlink()
    assert "signed heads that event 2 compared are missing" in str(verify_trail().problem)
