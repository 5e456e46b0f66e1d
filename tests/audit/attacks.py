"""Every way of tampering with the trail that we know of: as the portal's login, as the owner, on the signed heads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from memoryportal.audit.actions import Action
from memoryportal.audit.heads import sign_head
from memoryportal.audit.record import OPERATOR
from memoryportal.audit.verify import note_verdict, verify_trail
from memoryportal.base.names import APP, OWNER

from .forging import START, Forger, Row, with_hash
from .house import House, happen

OLD, SIGNED, VERIFIED, LAST = 4, 8, 9, 12  # events of an old month, the last signed one, a verification, the newest
FILE = "file"
WHO = {APP: "the portal's login", OWNER: "the tables' owner", FILE: "whoever can write AUDIT_HEADS"}


@dataclass(frozen=True, slots=True)
class Attack:
    """`attempt` is made with each login; `by` says who could try it at all."""

    name: str
    attempt: Callable[[Forger], object]
    by: tuple[str, ...] = (APP, OWNER)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` is refused, detected or neither; `said` is what the database or verify_audit said."""

    kind: str
    said: str = ""


# --- the attempts ----------------------------------------------------------------------------------------------------


def _change(seq: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [{**row, "actor": "99"} if row["seq"] == seq else row for row in rows]


def _change_with_own_hash(forger: Forger) -> None:
    forged = with_hash({**forger.row(5), "actor": "99"})
    forger.unlocked("UPDATE audit_event SET actor = '99', hash = %s WHERE seq = 5", forged["hash"])


def _swap(forger: Forger) -> None:
    forger.unlocked("UPDATE audit_event SET seq = CASE seq WHEN 5 THEN 6 ELSE 5 END WHERE seq IN (5, 6)")


def _swapped(rows: list[Row]) -> list[Row]:
    return [*rows[:4], rows[5], rows[4], *rows[6:]]


def _cut(last: int) -> Callable[[Forger], None]:
    return lambda forger: forger.rewrite(lambda rows: [row for row in rows if row["seq"] <= last])


def _append_own(forger: Forger) -> None:
    last = forger.row(LAST)
    false = {**last, "seq": LAST + 1, "at": last["at"] - timedelta(hours=1), "prev_hash": last["hash"], "actor": "99"}
    forged = with_hash(false)
    forger.insert(forged)
    forger.do("UPDATE audit_head SET seq = %s, hash = %s", forged["seq"], forged["hash"])


def _insert_double(forger: Forger) -> None:
    row = forger.row(6)
    forger.insert(with_hash({**row, "at": row["at"] - timedelta(microseconds=1), "actor": "99"}))


def _append_false(forger: Forger) -> None:
    forger.do("SELECT audit_append('99', 'support', 'memory.revealed', NULL, '', '', '', '', '{}')")


def _lie_from_now_on(forger: Forger) -> None:
    source = str(forger.do("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'audit_append'")[0][0])
    forger.do(source.replace("event.actor := p_actor", "event.actor := '99'"))
    _append_false(forger)


def _forged_line(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1].replace(f'"seq": {SIGNED}', f'"seq": {SIGNED - 1}')]


def _empty_and_set_back(forger: Forger) -> None:
    forger.do("TRUNCATE audit_event")
    forger.do("DELETE FROM audit_head")


def _cut_new_line(forger: Forger) -> None:
    sign_head()
    forger.change_lines(lambda lines: lines[:-1])


_CHANGE = "UPDATE audit_event SET actor = '99' WHERE seq = 5"
_DELETE = "DELETE FROM audit_event WHERE seq = 5"
ATTACKS = (
    Attack("change an event", lambda f: f.do(_CHANGE)),
    Attack("change an event in its month's own table", lambda f: f.do(_CHANGE.replace("event", _this_month(), 1))),
    Attack("delete an event", lambda f: f.do(_DELETE)),
    Attack("disable the trigger, change an event", lambda f: f.unlocked(_CHANGE)),
    Attack("disable the trigger, change an event and its hash", _change_with_own_hash),
    Attack("disable the trigger, delete an event", lambda f: f.unlocked(_DELETE)),
    Attack("disable the trigger, swap two events", _swap),
    Attack("empty the trail (TRUNCATE)", lambda f: f.do("TRUNCATE audit_event")),
    Attack("empty the trail and set the head back", _empty_and_set_back),
    Attack("drop a month", lambda f: f.do(f"DROP TABLE {_old_month()}")),
    Attack("detach a month", lambda f: f.do(f"ALTER TABLE audit_event DETACH PARTITION {_old_month()}")),
    Attack("change the head", lambda f: f.do("UPDATE audit_head SET seq = 3")),
    Attack("delete the head", lambda f: f.do("DELETE FROM audit_head")),
    Attack("insert a second event of the same number, with a hash of one's own", _insert_double),
    Attack("rewrite the trail with an event changed, all hashes made anew", lambda f: f.rewrite(_change(5))),
    Attack("rewrite it with two events swapped", lambda f: f.rewrite(_swapped)),
    Attack("rewrite it with an event more", lambda f: f.rewrite(lambda rows: [*rows[:5], rows[4], *rows[5:]])),
    Attack("rewrite it with an event less", lambda f: f.rewrite(lambda rows: [*rows[:4], *rows[5:]])),
    Attack("cut the tail, signed events too, and set the head back", _cut(6)),
    Attack("restore the tables from a backup, and a head was signed since", _cut(7)),
    Attack("restore the tables from a backup, and nothing was signed since", _cut(10)),
    Attack("cut only what came after the last signed head", _cut(VERIFIED)),
    Attack("rewrite an event after the last signed head", lambda f: f.rewrite(_change(11))),
    Attack("append an event with a time and a hash of one's own", _append_own),
    Attack("append a false event the regular way (audit_append)", _append_false),
    Attack("replace audit_append by one that lies", _lie_from_now_on),
    Attack("make a month's table", lambda f: f.do("SELECT audit_partition('2001-01-01')"), (APP,)),
    Attack("take away a subject's key: its events name nobody", lambda f: f.do("DELETE FROM audit_subjectkey")),
    Attack("replace the signed heads through the database", lambda f: f.write_file_through_database()),
    Attack("change a signed head", lambda f: f.change_lines(_forged_line), (FILE,)),
    Attack("take out a signed head", lambda f: f.change_lines(lambda lines: lines[1:]), (FILE,)),
    Attack("swap two signed heads", lambda f: f.change_lines(lambda lines: lines[::-1]), (FILE,)),
    Attack("cut the last one off, after verify_audit compared it", lambda f: f.change_lines(lambda x: x[:-1]), (FILE,)),
    Attack("cut the last one off, before anybody compared it", _cut_new_line, (FILE,)),
)


# --- trying them out -------------------------------------------------------------------------------------------------


def _old_month() -> str:
    return f"audit_event_{_long_ago():%Y_%m}"


def _this_month() -> str:
    return f"event_{datetime.now(UTC):%Y_%m}"


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=100)


def furnish(house: House) -> None:
    """Events of two months, a signed head, a verification, and a few events that no head has signed."""
    house.use(OWNER)
    happen(1)  # makes the head, the key of the subject, the partition of today
    forger = Forger(Path(settings.AUDIT_HEADS))
    first = forger.row(1)
    forger.write([{**first, "at": _long_ago() + timedelta(minutes=n), "prev_hash": START} for n in range(OLD)])
    house.use(APP)
    happen(2, object="m-5")
    sign_head()
    happen(SIGNED - OLD - 2, Action.EXPORT_ASKED, details={"form": "json", "count": 3})
    sign_head()
    note_verdict(OPERATOR, verify_trail())
    happen(LAST - VERIFIED)
    assert verify_trail().problem is None
    connection.close()


def outcomes(house: House) -> Iterator[tuple[Attack, str, Outcome]]:
    """Each attack with each login that can try it. Every attempt is undone before the next one."""
    heads = Path(settings.AUDIT_HEADS)
    kept = heads.read_text()
    for who in WHO:
        house.use(OWNER if who == FILE else who)
        for attack in ATTACKS:
            if who in attack.by:
                yield attack, who, _attempt(attack, Forger(heads))
                heads.write_text(kept)
                assert verify_trail().problem is None, "an attack was not undone"
    connection.close()


def _attempt(attack: Attack, forger: Forger) -> Outcome:
    with transaction.atomic():
        try:
            with transaction.atomic():
                attack.attempt(forger)
        except DatabaseError as error:
            return Outcome("refused", str(error.__cause__))
        problem = verify_trail().problem
        transaction.set_rollback(True)
    return Outcome("detected", problem) if problem else Outcome("neither")


def rows_of(results: Any) -> list[tuple[str, dict[str, Outcome]]]:
    """(attack, {who: outcome}) in the order of ATTACKS."""
    table: dict[str, dict[str, Outcome]] = {attack.name: {} for attack in ATTACKS}
    for attack, who, outcome in results:
        table[attack.name][who] = outcome
    return list(table.items())
