"""The trail's months: made as time goes on, closed to everybody, and dropped whole when they are past retention."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection

from memoryportal.audit import prune as pruning
from memoryportal.audit.heads import read_heads, sign_head
from memoryportal.audit.models import Event
from memoryportal.audit.prune import NotIntact, boundary, months, prune
from memoryportal.audit.verify import verify_trail
from memoryportal.base.databases import runs_as_owner
from memoryportal.base.names import APP, OWNER

from .forging import START, Forger, Row
from .house import PARTITIONS, House, happen

KEPT = 3


def month(back: int) -> datetime:
    """The middle of the month `back` months ago."""
    now = datetime.now(UTC)
    whole = now.year * 12 + now.month - 1 - back
    return datetime(whole // 12, whole % 12 + 1, 15, tzinfo=UTC)


def name(back: int) -> str:
    return f"audit_event_{month(back):%Y_%m}"


@pytest.fixture
def years(house: House, settings: Any) -> House:
    """Two events in each of the last five months and in this one, 1 to 12; the owner is at work, as prune_audit is."""
    settings.AUDIT_RETENTION_MONTHS = KEPT
    house.use(OWNER)
    happen(1)
    forger = Forger(Path(settings.AUDIT_HEADS))
    first = forger.row(1)
    times = [month(back) + timedelta(hours=hour) for back in (5, 4, 3, 2, 1) for hour in (0, 1)]
    forger.write([{**first, "at": moment, "prev_hash": START} for moment in times])
    happen(2)
    assert verify_trail().problem is None
    return house


def partitions(house: House) -> list[str]:
    with house.connect(OWNER) as owner:
        return [row[0] for row in owner.execute(PARTITIONS).fetchall()]


# --- as time goes on -------------------------------------------------------------------------------------------------


def test_an_event_lies_in_its_month(house: House) -> None:
    with house.connect(OWNER) as owner:
        owner.execute(f"DROP TABLE {name(0)}")
    happen(1)
    assert partitions(house) == [name(0)]
    with house.connect(OWNER) as owner:
        assert owner.execute(f"SELECT count(*) FROM {name(0)}").fetchone() == (1,)


@pytest.mark.parametrize(
    ("moment", "table", "first", "end"),
    [
        ("2027-12-31 23:59:59.999999+00", "audit_event_2027_12", "2027-12-01 00:00:00+00", "2028-01-01 00:00:00+00"),
        ("2028-01-01 00:30:00+01", "audit_event_2027_12", "2027-12-01 00:00:00+00", "2028-01-01 00:00:00+00"),
        ("2028-02-29 12:00:00+00", "audit_event_2028_02", "2028-02-01 00:00:00+00", "2028-03-01 00:00:00+00"),
    ],
)
def test_months_are_those_of_utc(house: House, moment: str, table: str, first: str, end: str) -> None:
    with house.connect(OWNER) as owner:
        for zone in ("America/New_York", "Asia/Tokyo"):
            owner.execute(f"SET timezone = '{zone}'")
            owner.execute("SELECT audit_partition(%s)", [moment])
        owner.execute("SET timezone = 'UTC'")
        (bounds,) = owner.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [table]
        ).fetchone()
    assert bounds == f"FOR VALUES FROM ('{first}') TO ('{end}')"


def test_a_new_month_is_as_closed_as_the_others(house: House) -> None:
    with house.connect(OWNER) as owner:
        owner.execute("SELECT audit_partition('2031-05-05')")
        rights = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"
        for login in (APP, "memoryportal_scoped"):
            query = "SELECT has_table_privilege(%s, 'audit_event_2031_05', %s)"
            assert owner.execute(query, [login, rights]).fetchone() == (False,)
        triggers = owner.execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_event_2031_05'::regclass")
        assert triggers.fetchone() == (1,), "the trigger that refuses changes"
    with house.connect(APP) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT audit_partition('2031-06-06')")


def test_a_new_month_waits_for_nobody_who_reads(house: House) -> None:
    """Somebody verifies or exports for minutes while a month begins: nobody's act may fail for that."""
    happen(1)
    with house.connect(APP) as reader, house.connect(OWNER) as owner:
        with reader.transaction():
            assert reader.execute("SELECT count(*) FROM audit_event").fetchone() == (1,)
            owner.execute("SET lock_timeout = '500ms'")
            owner.execute("SELECT audit_partition('2031-05-05')")
    assert "audit_event_2031_05" in partitions(house)


# --- past retention --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "kept", "first_kept"),
    [
        ("2026-11-20", 24, "2024-11-01"),
        ("2026-11-30", 1, "2026-10-01"),
        ("2026-01-01", 1, "2025-12-01"),
        ("2026-12-31", 12, "2025-12-01"),
        ("2028-02-29", 24, "2026-02-01"),
    ],
)
def test_whole_months_are_kept_in_full(settings: Any, today: str, kept: int, first_kept: str) -> None:
    settings.AUDIT_RETENTION_MONTHS = kept
    with time_machine.travel(f"{today}T12:00:00Z", tick=False):
        assert boundary() == datetime.fromisoformat(f"{first_kept}T00:00:00+00:00")


def test_months_past_retention_go_and_the_chain_goes_on(years: House, capsys: pytest.CaptureFixture[str]) -> None:
    last = Event.objects.get(seq=4)
    call_command("prune_audit")
    assert capsys.readouterr().out == f"Dropped: {name(5)}, {name(4)}.\n"
    assert partitions(years) == [name(back) for back in (3, 2, 1, 0)]
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == list(range(5, 15))
    head = read_heads()[-1]
    assert (head.kind, head.seq, head.hash) == ("prune", 4, last.hash)
    pruned = Event.objects.filter(action="trail.pruned").order_by("seq")
    assert [event.details for event in pruned] == [{"months": name(5), "last": 2}, {"months": name(4), "last": 4}]
    verdict = verify_trail()
    assert (verdict.problem, verdict.events, verdict.heads) == (None, 10, 2)
    happen(1)
    assert verify_trail().problem is None
    call_command("prune_audit")
    assert capsys.readouterr().out == "No month is past retention.\n"


def test_only_the_signed_heads_show_that_a_beginning_was_dropped_rightly(years: House) -> None:
    prune()
    lines = Path(django_settings.AUDIT_HEADS)
    lines.unlink()
    assert verify_trail().problem == "event 1 was removed"


def test_more_than_was_signed_for_cannot_go(years: House) -> None:
    prune()
    Forger(Path(django_settings.AUDIT_HEADS)).do(f"DROP TABLE {name(3)}")
    assert verify_trail().problem == "event 5 was removed"


def test_a_prune_that_failed_after_signing_dropped_nothing(years: House) -> None:
    """The line stands in the file, and the month is there all the same."""
    row = Event.objects.get(seq=2)
    sign_head("prune", row.seq, row.hash)
    assert verify_trail().problem is None
    assert prune() == [name(5), name(4)]
    assert verify_trail().problem is None


def test_a_trail_of_which_everything_is_past_retention(years: House) -> None:
    Forger(Path(django_settings.AUDIT_HEADS)).rewrite(lambda rows: rows[:4])
    assert prune() == [name(5), name(4)]
    assert verify_trail().problem is None
    assert {event.action for event in Event.objects.all()} == {"trail.pruned"}


def happened_at(settings: Any, times: dict[int, datetime]) -> None:
    """The clock of the database's machine was wrong for a while."""

    def change(rows: list[Row]) -> list[Row]:
        return [{**row, "at": times.get(row["seq"], row["at"])} for row in rows]

    Forger(Path(settings.AUDIT_HEADS)).rewrite(change)
    assert verify_trail().problem is None


def test_a_clock_that_was_set_back_over_a_months_end_tears_no_hole(years: House, settings: Any) -> None:
    """Events 3, 4 and 6 lie in the month that is past retention, 5 in the one that is not."""
    happened_at(settings, {6: month(4) + timedelta(days=1)})
    assert prune() == [name(5)]
    assert verify_trail().problem is None
    assert Event.objects.filter(seq__in=[3, 4, 5, 6]).count() == 4
    settings.AUDIT_RETENTION_MONTHS = KEPT - 1
    assert prune() == [name(3), name(4)]
    assert (read_heads()[-1].seq, verify_trail().problem) == (6, None)
    assert Event.objects.order_by("seq").values_list("seq", flat=True)[0] == 7
    happen(1)
    assert verify_trail().problem is None


def test_what_happened_under_a_clock_that_was_years_behind_stays_with_its_neighbours(
    years: House, settings: Any
) -> None:
    behind = datetime(2001, 3, 4, tzinfo=UTC)
    happened_at(settings, {9: behind, 10: behind})
    assert prune() == [name(5), name(4)]
    assert "audit_event_2001_03" in partitions(years)
    assert Event.objects.filter(seq__in=[9, 10]).count() == 2
    assert verify_trail().problem is None


def test_nothing_is_dropped_where_heads_cannot_be_written(years: House, settings: Any, tmp_path: Path) -> None:
    before = partitions(years)
    settings.AUDIT_HEADS = str(tmp_path / "there-is-a-folder")
    (tmp_path / "there-is-a-folder").mkdir()
    with pytest.raises(CommandError, match="AUDIT_HEADS cannot be"):
        call_command("prune_audit")
    assert partitions(years) == before
    assert Event.objects.count() == 12


def test_nothing_is_dropped_of_a_trail_that_is_not_intact(years: House) -> None:
    """What is past retention may be the evidence."""
    before = partitions(years)
    Forger(Path(django_settings.AUDIT_HEADS)).unlocked("UPDATE audit_event SET actor = '9' WHERE seq = 11")
    with pytest.raises(NotIntact, match="event 11 was changed"):
        prune()
    with pytest.raises(CommandError, match="so nothing was dropped"):
        call_command("prune_audit")
    assert partitions(years) == before
    assert read_heads() == []


def test_somebody_who_reads_for_long_holds_up_the_prune_and_nobody_else(
    years: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_WAIT", "300ms")
    before = partitions(years)
    with years.connect(APP) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM audit_event")
        with pytest.raises(CommandError, match="The trail is being read right now"):
            call_command("prune_audit")
        writer = threading.Thread(target=lambda: (happen(1), connection.close()))
        writer.start()
        writer.join(timeout=5)
        assert not writer.is_alive()
    assert partitions(years) == before
    assert Event.objects.count() == 13


def test_the_portals_login_cannot_drop_a_month(years: House) -> None:
    years.use(APP)
    before = partitions(years)
    with pytest.raises(Exception, match="permission denied"):
        prune()
    assert partitions(years) == before
    assert runs_as_owner(["manage.py", "prune_audit"])
    assert not runs_as_owner(["manage.py", "verify_audit"])


def test_months_are_known_by_their_names(years: House) -> None:
    assert [table for table, _ in months()] == [name(back) for back in (5, 4, 3, 2, 1, 0)]
    assert all(end.day == 1 and end.tzinfo is UTC for _, end in months())
