"""What somebody who tampers with the trail meets: a refusal, verify_audit, or (said in the docs) nothing."""

from pathlib import Path
from typing import Any

import pytest

from memoryportal.base.names import APP, OWNER

from . import attack_table
from .attacks import ATTACKS, FILE, Outcome, furnish, outcomes, rows_of
from .conftest import elsewhere
from .house import House

# Nobody can keep a login from what the portal itself needs, nor an owner from what no head has signed yet.
KNOWN_LIMITS = {
    (APP, "append a false event the regular way (audit_append)"),
    (APP, "take away a subject's key: its events name nobody"),
    (OWNER, "append a false event the regular way (audit_append)"),
    (OWNER, "take away a subject's key: its events name nobody"),
    (OWNER, "replace audit_append by one that lies"),
    (OWNER, "append an event with a time and a hash of one's own"),
    (OWNER, "cut only what came after the last signed head"),
    (OWNER, "restore the tables from a backup, and nothing was signed since"),
    (OWNER, "rewrite an event after the last signed head"),
    (FILE, "cut the last one off, before anybody compared it"),
}
NAMED = {  # the first event that is wrong, as verify_audit names it
    "disable the trigger, change an event": "event 5 was changed",
    "disable the trigger, change an event and its hash": "event 6 does not follow the event before it",
    "disable the trigger, delete an event": "event 5 was removed",
    "disable the trigger, swap two events": "event 5 was changed",
    "empty the trail and set the head back": "the trail ends at event 0, but event 8 was signed",
    "drop a month": "event 1 was removed",
    "cut the tail, signed events too, and set the head back": "the trail ends at event 6, but event 8 was signed",
    "restore the tables from a backup, and a head was signed since": "the trail ends at event 7, but event 8",
    "rewrite the trail with an event changed, all hashes made anew": "event 6 is not the one that was signed",
}


@pytest.fixture(scope="module")
def tried(built_house: House, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from django.test import override_settings

    folder: Path = tmp_path_factory.mktemp("attacks")
    files = {"AUDIT_HEADS": str(folder / "heads.jsonl"), "KEY_DIR": folder / "keys"}
    with override_settings(**files), django_db_blocker.unblock(), elsewhere():
        built_house.sweep()
        furnish(built_house)
        return rows_of(outcomes(built_house))


def test_every_attack_is_refused_or_detected_but_for_the_known_limits(
    tried: list[tuple[str, dict[str, Outcome]]],
) -> None:
    unseen = {(who, name) for name, by in tried for who, outcome in by.items() if outcome.kind == "neither"}
    assert unseen == KNOWN_LIMITS


def test_the_portals_login_is_refused_and_never_only_detected(tried: list[tuple[str, dict[str, Outcome]]]) -> None:
    kinds = {by[APP].kind for name, by in tried if APP in by and (APP, name) not in KNOWN_LIMITS}
    assert kinds == {"refused"}


@pytest.mark.parametrize("name", NAMED)
def test_the_first_bad_event_is_named(name: str, tried: list[tuple[str, dict[str, Outcome]]]) -> None:
    assert dict(tried)[name][OWNER].said.startswith(NAMED[name])


def test_the_docs_show_the_table_of_these_very_outcomes(tried: list[tuple[str, dict[str, Outcome]]]) -> None:
    """`python -m tests.audit.attack_table` makes it current."""
    assert attack_table.current("attacks") == attack_table.as_markdown(tried)
    assert len(tried) == len(ATTACKS)
