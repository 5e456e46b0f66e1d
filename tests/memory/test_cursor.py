"""A page link is ours, for this selection, or refused; whoever follows it sees their own rows."""

import base64
import json
from datetime import UTC, date, datetime

import pytest

from memoryportal.memory import BadCursor, Filters, ScopedMemory

from .planted import Superuser, payload, plant

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def _forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "é",
        "%00",
        "a" * 100_000,
        "\0",
        "null",
        _forged(),
        _forged("2026", "not-a-uuid", "", "newest"),
        _forged(None, "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest"),
        _forged(5, "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest"),
        _forged("a\0", "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest"),
        _forged("\ud800", "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest"),
        _forged("x" * 500, "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest"),
        _forged("2026", 5, Filters().fingerprint(), "newest"),
        _forged("2026", ["a"], Filters().fingerprint(), "newest"),
        _forged("2026", "123e4567-e89b-12d3-a456-426614174000", "000000000000", "newest"),
        _forged("2026", "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "oldest"),
        _forged("2026", "123e4567-e89b-12d3-a456-426614174000", Filters().fingerprint(), "newest", 1),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
    ],
    ids=lambda value: value[:20],
)
def test_a_forged_cursor_is_refused(superuser: Superuser, alice: ScopedMemory, cursor: str) -> None:
    plant(superuser, [payload(alice.subject, "one")])
    with pytest.raises(BadCursor):
        alice.page(after=cursor)


def test_a_cursor_of_other_filters_is_refused(superuser: Superuser, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, f"{n}", agent_id="planner") for n in range(3)])
    cursor = alice.page(limit=1).next
    assert cursor is not None
    for filters in (Filters(agent="planner"), Filters(since=date(2020, 1, 1))):
        with pytest.raises(BadCursor):
            alice.page(filters, after=cursor)
    with pytest.raises(BadCursor):
        alice.page(after=cursor, order="oldest")


def test_somebody_elses_cursor_shows_nothing_of_theirs(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    plant(superuser, [payload(bob.subject, f"foreign {n}") for n in range(5)])
    (own,) = plant(superuser, [payload(alice.subject, "own", created_at="2020-01-01T00:00:00+00:00")])
    assert [item.id for item in alice.page(after=bob.page(limit=2).next).items] == [own]


def test_a_cursor_survives_the_deletion_of_its_row(superuser: Superuser, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, f"{n}", created_at=NOON.isoformat()) for n in range(6)])
    first = alice.page(limit=3)
    alice.delete(first.items[-1].id)
    rest = alice.page(after=first.next, limit=10)
    assert len(rest.items) == 3
    assert not {item.id for item in rest.items} & {item.id for item in first.items}
    assert rest.total == 5
    assert rest.next is None
