"""Random days of the staff: every text of a memory in any answer has an event that was committed before it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory
from memoryportal.support.models import AccessGrant, Quota
from tests.mydata.remembered import remember

from .staffing import WHY, broken_trail, find, fragment, page_of, signed_in, staff_member

pytestmark = pytest.mark.django_db(transaction=True)
WORD = re.compile(r"canary([0-9a-f]{12})")
STEPS = ("open", "list", "reveal", "reveal page", "search", "end", "expire", "revoke", "restore", "delete page")
MANY = 30  # memories of one person: two pages

# (member of the staff, person, what, which memory, as a fragment, while the trail is down)
STEP = st.tuples(
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(STEPS),
    st.integers(0, MANY - 1),
    st.booleans(),
    st.sampled_from([False] * 5 + [True]),
)


@dataclass
class House:
    """Two members of the staff, two people, and a window on the trail that is nobody's connection but its own."""

    staff: list[User]
    people: list[User]
    ids: list[list[str]]
    watch: psycopg.Connection[Any]
    clients: list[Client] = field(default_factory=list)

    def begin(self) -> None:
        """A new day: nothing is open, everybody has their role."""
        AccessGrant.objects.filter(ended_at=None).update(ended_at=timezone.now(), ended_how="time")
        Quota.objects.all().delete()
        for member in self.staff:
            member.groups.set([Group.objects.get(name="support")])
        self.clients = [signed_in(member) for member in self.staff]

    def granted(self, who: int, whom: int) -> AccessGrant | None:
        """The newest grant of this member about this person, open or not."""
        return AccessGrant.objects.filter(staff=self.staff[who], person=self.people[whom]).first()

    def shown_to(self, who: int, under: str, before: datetime) -> set[str]:
        """The memories that the committed trail says this member has read so far under this grant."""
        rows = self.watch.execute(
            "SELECT details -> 'ids' FROM audit_event WHERE actor = %s AND grant_id = %s AND at <= %s "
            "AND action IN ('memory.revealed', 'memory.searched')",
            [str(self.staff[who].pk), under, before],
        ).fetchall()
        return {memory_id for (ids,) in rows for memory_id in ids}

    def now(self) -> datetime:
        """The time on the clock of the trail."""
        row = self.watch.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return row[0]  # type: ignore[no-any-return]


@pytest.fixture
def house(alice: User, bob: User, alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> Iterator[House]:
    staff, ids = [staff_member(f"support{n}", "support") for n in range(2)], []
    for memory in (alice_memory, bob_memory):
        told = remember(memory, *[f"Note {n}" for n in range(MANY)])
        ids.append([memory.update(item.id, f"Canary {marked(item.id)}").id for item in told])
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as watch:
        yield House(staff, [alice, bob], ids, watch)


def marked(memory_id: str) -> str:
    """A word that names its memory, so that an answer says which texts it holds."""
    return f"canary{memory_id[-12:]}"


def act(house: House, step: tuple[int, int, str, int, bool, bool]) -> Any:
    """Take one step; the answer of the portal, or None for what happens without a request."""
    who, whom, what, which, as_fragment, _ = step
    client, ids, grant = house.clients[who], house.ids[whom], house.granted(who, whom)
    if what == "open":
        find(client, house.people[whom].email)
        return client.post("/support/grants/", WHY)
    if what in ("revoke", "restore"):
        house.staff[who].groups.set(Group.objects.filter(name="support") if what == "restore" else [])
        return None
    if grant is None:
        return client.get(page_of(AccessGrant(pk=UUID(int=which))))
    if what == "expire":
        AccessGrant.objects.filter(pk=grant.pk).update(ends_at=timezone.now() - timedelta(seconds=1))
        return None
    return _read(client, grant, what, ids, which, as_fragment)


def _read(client: Client, grant: AccessGrant, what: str, ids: list[str], which: int, as_fragment: bool) -> Any:
    page = ids[which : which + 25]
    target, rest, data = {
        "list": ("memories", "", None),
        "delete page": ("", f"memories/{ids[which]}/delete/", None),
        "reveal": (f"memory-{ids[which]}", "reveal/", {"id": ids[which], "on_page": page}),
        "reveal page": ("page", "reveal/", {"all": "1", "on_page": page}),
        "search": ("memories", "search/", {"q": marked(ids[which]) if which % 2 else "canary", "by": "word"}),
        "end": ("", "end/", {}),
    }[what]
    headers = fragment(target) if as_fragment and target else {}
    if data is None:
        return client.get(page_of(grant, rest), headers=headers)
    return client.post(page_of(grant, rest), data, headers=headers)


def texts_in(response: Any) -> set[str]:
    """The ends of the ids of the memories whose texts are in an answer, but for the words that were searched for."""
    body = re.sub(r'<input type="search"[^>]*>', "", response.content.decode())
    return set(WORD.findall(body))


@given(steps=st.lists(STEP, min_size=4, max_size=14))
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_has_its_event_before_it(house: House, steps: list[tuple[int, int, str, int, bool, bool]]) -> None:
    house.begin()
    for step in [(0, 0, "open", 0, False, False), *steps]:
        check(house, step)


def check(house: House, step: tuple[int, int, str, int, bool, bool]) -> None:
    who, whom, what, _, _, down = step
    began = house.now()
    if down:
        with broken_trail():
            response = act(house, step)
    else:
        response = act(house, step)
    if response is None:
        return
    assert not connection.in_atomic_block
    shown = texts_in(response)
    if what not in ("reveal", "reveal page", "search") or down:
        assert shown == set(), step
    if not shown:
        return
    grant = house.granted(who, whom)
    assert grant is not None
    committed = house.shown_to(who, str(grant.pk), house.now())
    assert shown <= {memory_id[-12:] for memory_id in committed}, step
    assert shown <= {memory_id[-12:] for memory_id in house.ids[whom]}, step  # nobody else's
    assert grant.opened_at <= began < grant.ends_at
    assert grant.ended_at is None
    assert house.staff[who].groups.filter(name="support").exists()


def test_the_journeys_do_show_texts(house: House) -> None:
    """Without this the property would hold for a portal that shows nothing."""
    house.begin()
    act(house, (0, 0, "open", 0, False, False))
    for as_fragment in (False, True):
        assert len(texts_in(act(house, (0, 0, "reveal", 3, as_fragment, False)))) == 1
        assert len(texts_in(act(house, (0, 0, "reveal page", 0, as_fragment, False)))) == 25
        assert len(texts_in(act(house, (0, 0, "search", 3, as_fragment, False)))) == 1
        assert len(texts_in(act(house, (0, 0, "search", 2, as_fragment, False)))) == 25
    assert texts_in(act(house, (0, 0, "list", 0, False, False))) == set()


def test_an_event_that_was_never_committed_would_be_noticed(house: House) -> None:
    """The window looks from outside: what stands in a transaction of Django's own connection is not there."""
    from django.db import transaction

    from memoryportal.audit.actions import Action
    from memoryportal.audit.record import Actor, record

    about = Actor(str(house.staff[0].pk), "support")
    with transaction.atomic():
        record(Action.MEMORY_REVEALED, actor=about, grant="g", details={"ids": [house.ids[0][0]]})
        assert house.shown_to(0, "g", house.now()) == set()
    assert house.shown_to(0, "g", house.now()) == {house.ids[0][0]}
