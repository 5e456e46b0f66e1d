"""A list is complete: a true total, no row twice, none left out, whatever the times of the rows are."""

import random
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from memoryportal.memory import Filters, Item, MemoryNotFound, Page, ScopedMemory
from memoryportal.memory.prepare import prepare_store

from .planted import Superuser, payload, plant

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def _all(memory: ScopedMemory, limit: int, order: str = "newest", filters: Filters | None = None) -> list[Item]:
    """Every page in turn, each checked for its size and its total."""
    items: list[Item] = []
    after = None
    while True:
        page = memory.page(filters, after=after, limit=limit, order=order)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        assert page.total == memory.count(filters)
        items += page.items
        if page.next is None:
            return items
        assert len(page.items) == limit
        after = page.next


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_are_complete_with_equal_and_missing_times(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, order: str, limit: int
) -> None:
    times = [NOON.isoformat()] * 6 + [None] * 5 + [(NOON + timedelta(hours=n)).isoformat() for n in range(4)] + [""] * 2
    random.Random(7).shuffle(times)
    own = plant(superuser, [payload(alice.subject, f"own {n}", created_at=at) for n, at in enumerate(times)])
    plant(superuser, [payload(bob.subject, f"foreign {n}", created_at=NOON.isoformat()) for n in range(20)])
    seen = [item.id for item in _all(alice, limit, order)]
    assert sorted(seen) == sorted(own)
    assert alice.page(limit=limit).total == 17
    if order == "newest":
        assert seen == [item.id for item in reversed(_all(alice, limit, "oldest"))]


def test_pages_do_not_lean_on_the_index(superuser: Superuser, alice: ScopedMemory) -> None:
    superuser.execute("DROP INDEX memories_owner_idx")
    try:
        own = plant(superuser, [payload(alice.subject, f"own {n}", created_at=NOON.isoformat()) for n in range(200)])
        for order in ("newest", "oldest"):
            seen = [item.id for item in _all(alice, 7, order)]
            assert sorted(seen) == sorted(own)
            assert seen == sorted(seen, reverse=order == "newest")
    finally:
        prepare_store()


def test_newest_comes_first_and_a_missing_time_last(superuser: Superuser, alice: ScopedMemory) -> None:
    middle, unknown, newest, oldest = plant(
        superuser,
        [
            payload(alice.subject, "middle", created_at=NOON.isoformat()),
            payload(alice.subject, "unknown", created_at=None),
            payload(alice.subject, "newest", created_at=(NOON + timedelta(microseconds=1)).isoformat()),
            payload(alice.subject, "oldest", created_at=(NOON - timedelta(days=400)).isoformat()),
        ],
    )
    page = alice.page()
    assert [item.id for item in page.items] == [newest, middle, oldest, unknown]
    assert [item.created for item in page.items][-1] is None
    assert page.items[1].created == NOON
    assert page.total == 4


def test_a_wild_time_neither_hides_a_row_nor_stops_the_list(superuser: Superuser, alice: ScopedMemory) -> None:
    """Plain mem0 stores any `created_at` that an agent puts into the metadata."""
    wild = ["9" * 5000, "yesterday", "ÿ" * 70, 5, 1.50, True, {"a": 1}, ["x"], "0", "😀" * 40, "%", "'", "2026-03-14"]
    ids = plant(superuser, [payload(alice.subject, f"wild {n}", created_at=at) for n, at in enumerate(wild)])
    for order in ("newest", "oldest"):
        assert sorted(item.id for item in _all(alice, 1, order)) == sorted(ids)
    assert alice.summary().total == len(wild)
    assert sorted(hit.item.id for hit in alice.search("wild", by="word").hits) == sorted(ids)


def test_foreign_rows_are_absent_whatever_is_asked(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    plant(superuser, [payload(bob.subject, "foreign", agent_id="planner", run_id="r1", created_at=NOON.isoformat())])
    for filters in (None, Filters(agent="planner"), Filters(run="r1"), Filters(since=NOON.date(), until=NOON.date())):
        assert alice.page(filters) == Page([], None, 0)
        assert bob.page(filters).total == 1


def test_filters_combine(superuser: Superuser, alice: ScopedMemory) -> None:
    rows = [
        payload(
            alice.subject,
            f"{agent} {run} {day}",
            agent_id=agent,
            run_id=run,
            created_at=f"2026-03-{day}T08:00:00+00:00",
        )
        for agent in ("planner", "planner2", None)
        for run in ("r1", "r2")
        for day in ("13", "14")
    ]
    plant(superuser, rows)

    def texts(**filters: object) -> set[str]:
        return {item.text for item in alice.page(Filters(**filters)).items}  # type: ignore[arg-type]

    assert texts(agent="planner", run="r1", since=date(2026, 3, 14)) == {"planner r1 14"}
    assert texts(agent="planner") == {f"planner r{run} {day}" for run in (1, 2) for day in (13, 14)}
    assert texts(run="r2", until=date(2026, 3, 13)) == {f"{agent} r2 13" for agent in ("planner", "planner2", None)}
    assert texts(agent="nobody") == set()
    assert alice.count(Filters(agent="planner", run="r1")) == 2


def test_days_are_whole_and_instants_are_exact(superuser: Superuser, alice: ScopedMemory) -> None:
    times = ["13T23:59:59.999999", "14T00:00:00", "14T00:00:00.000001", "14T23:59:59.999999", "15T00:00:00"]
    rows = [payload(alice.subject, at, created_at=f"2026-03-{at}+00:00") for at in times]
    plant(superuser, [*rows, payload(alice.subject, "no time", created_at=None)])
    day = date(2026, 3, 14)

    def shown(**filters: object) -> list[str]:
        return [item.text for item in alice.page(Filters(**filters), order="oldest").items]  # type: ignore[arg-type]

    assert shown(since=day, until=day) == times[1:4]
    assert shown(since=day) == times[1:]
    assert shown(until=day) == times[:4]
    west = timezone(timedelta(hours=-7))
    assert (
        shown(since=datetime(2026, 3, 13, 17, tzinfo=west), until=datetime(2026, 3, 14, 17, tzinfo=west)) == times[1:4]
    )
    summary = alice.summary(Filters(since=day, until=day))
    assert summary.agents == [(None, 3)]
    assert summary.total == 6


def test_expired_memories_are_shown_as_such(superuser: Superuser, alice: ScopedMemory) -> None:
    today = datetime.now(UTC).date()
    plant(
        superuser,
        [
            payload(alice.subject, "past", expiration_date=(today - timedelta(days=1)).isoformat()),
            payload(alice.subject, "today", expiration_date=today.isoformat()),
            payload(alice.subject, "never"),
            payload(alice.subject, "odd", expiration_date="soon"),
        ],
    )
    shown = {item.text: (item.expires, item.expired) for item in alice.page().items}
    assert shown == {
        "past": (today - timedelta(days=1), True),
        "today": (today, False),
        "never": (None, False),
        "odd": (None, False),
    }
    assert alice.summary().expired == 1


def test_old_offsets_become_utc(superuser: Superuser, alice: ScopedMemory) -> None:
    old = {
        "2026-03-14T05:00:00.123456-07:00": "2026-03-14T12:00:00.123456+00:00",
        "2026-03-14T04:30:00-08:00": "2026-03-14T12:30:00.000000+00:00",
        "2026-03-14T13:15:00+01:00": "2026-03-14T12:15:00.000000+00:00",
        "2026-03-14T12:45:00Z": "2026-03-14T12:45:00.000000+00:00",
        "2026-03-14T12:50:00+00:00": "2026-03-14T12:50:00+00:00",
        "2026-99-99T99:99:99-07:00": "2026-99-99T99:99:99-07:00",
        "not a time-07:00": "not a time-07:00",
    }
    plant(superuser, [payload(alice.subject, wanted, created_at=at) for at, wanted in old.items()])
    superuser.execute("ALTER TABLE memories NO FORCE ROW LEVEL SECURITY")  # as on a table that plain mem0 made
    try:
        prepare_store()
    finally:
        superuser.execute("ALTER TABLE memories FORCE ROW LEVEL SECURITY")
    rows = superuser.execute("SELECT payload->>'data', payload->>'created_at' FROM memories").fetchall()
    assert dict(rows) == {wanted: wanted for wanted in old.values()}
    known = [item.created for item in alice.page().items if item.created]
    assert known == sorted(known, reverse=True)
    assert len(known) == 5
    assert {item.created for item in alice.page(Filters(since=NOON.date(), until=NOON.date())).items} == set(known)


def test_walk_gives_every_row_once(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    own = plant(superuser, [payload(alice.subject, f"{n}", created_at=NOON.isoformat()) for n in range(23)])
    plant(superuser, [payload(bob.subject, "foreign")])
    assert sorted(item.id for item in alice.walk(batch=5)) == sorted(own)


def test_limits_are_kept(superuser: Superuser, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, f"{n}") for n in range(510)])
    assert len(alice.page(limit=10_000).items) == 500
    assert len(alice.page(limit=0).items) == 1
    assert len(alice.page(limit=-5).items) == 1


def test_the_summary_counts_what_the_filters_lead_to(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    rows = [("planner", "r1", 13), ("planner", "r2", 14), ("planner", None, 15), (None, "r1", 14), ("cook", None, 14)]
    plant(
        superuser,
        [
            payload(owner.subject, "x", agent_id=agent, run_id=run, created_at=f"2026-03-{day}T08:00:00+00:00")
            for owner in (alice, bob)
            for agent, run, day in rows
        ],
    )
    whole = alice.summary()
    assert (whole.total, whole.expired) == (5, 0)
    assert whole.agents == [("planner", 3), (None, 1), ("cook", 1)]
    assert whole.runs == [(None, 2), ("r1", 2), ("r2", 1)]
    assert (whole.since, whole.latest) == (datetime(2026, 3, 13, 8, tzinfo=UTC), datetime(2026, 3, 15, 8, tzinfo=UTC))
    for filters in (
        Filters(agent="planner"),
        Filters(run="r1", since=date(2026, 3, 14)),
        Filters(agent="cook", run="r1"),
    ):
        summary = alice.summary(filters)
        for agent, count in summary.agents:
            if agent:
                assert alice.count(Filters(agent, filters.run, filters.since, filters.until)) == count
        for run, count in summary.runs:
            if run:
                assert alice.count(Filters(filters.agent, run, filters.since, filters.until)) == count


def test_somebody_without_memories_gets_an_empty_page(alice: ScopedMemory) -> None:
    assert alice.page() == Page([], None, 0)
    assert alice.count() == 0
    assert alice.summary().total == 0
    assert alice.held() == {"memories": 0, "entities": 0, "history": 0, "messages": 0, "uses": 0, "never": 0}
    with pytest.raises(MemoryNotFound):
        alice.get("123e4567-e89b-12d3-a456-426614174000")
