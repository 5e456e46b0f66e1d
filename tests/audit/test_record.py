"""Appending: what an event holds, how its hash comes about, and what can never get in."""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event, Head, ReadOnly, SubjectKey
from memoryportal.audit.pseudonyms import (
    Pseudonym,
    destroy_keys,
    known_pseudonym,
    known_pseudonyms,
    note_staff_access,
    pseudonym,
)
from memoryportal.audit.record import MAX_IDS, NOBODY, Actor, record, record_first
from memoryportal.audit.verify import verify_trail
from memoryportal.base.request_id import numbered
from memoryportal.memory.scope import SubjectId

from .house import ALICE, happen

pytestmark = pytest.mark.django_db
ACTOR = Actor("7", "support")


def newest() -> Event:
    return Event.objects.latest("seq")


def independent_hash(event: Event) -> str:
    """The method as docs/audit.md describes it, written a second time: a field is its length in bytes, and itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT details::text FROM audit_event WHERE seq = %s", [event.seq])
        (details,) = cursor.fetchone()
    microseconds = (event.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    fields = [event.seq, microseconds, event.actor, event.role, event.action, event.subject, event.object, event.reason]
    fields += [event.grant, event.request_id, details, event.prev_hash]
    text = b""
    for field in fields:
        raw = str(field).encode()
        text += b"-;" if field is None else b"%d:%s;" % (len(raw), raw)
    return hashlib.sha256(text).hexdigest()


# --- what an event holds ---------------------------------------------------------------------------------------------


def test_every_field_is_kept() -> None:
    grant = str(uuid.uuid4())
    before = timezone.now()
    with numbered() as request:
        seq = record(
            Action.MEMORY_REVEALED,
            actor=ACTOR,
            subject=ALICE,
            object="ticket:T-1",
            reason="She asked",
            grant=grant,
            details={"ids": ["a", "b"], "count": 2},
        )
    event = Event.objects.get(seq=seq)
    assert before <= event.at <= timezone.now()
    assert (event.actor, event.role, event.action, event.object) == ("7", "support", "memory.revealed", "ticket:T-1")
    assert (event.reason, event.grant, event.request_id) == ("She asked", grant, request)
    assert event.details == {"ids": ["a", "b"], "count": 2}
    assert event.subject == pseudonym(ALICE)


def test_hashes_follow_the_described_method_and_each_other() -> None:
    happen(1)
    record(Action.SESSION_REFUSED, actor=NOBODY)  # without a subject: null is not the empty text
    record(
        Action.GRANT_OPENED, actor=ACTOR, reason="“Grüße” 12:;3 \\ \n 漢字 🧀", details={"minutes": 15, "kind": None}
    )
    before = "0" * 64
    for event in Event.objects.order_by("seq"):
        assert event.prev_hash == before
        assert event.hash == independent_hash(event)
        before = event.hash
    head = Head.objects.get()
    assert (head.seq, head.hash) == (newest().seq, before)


def test_fields_cannot_borrow_from_each_other() -> None:
    """Two events that differ only in where one field ends have different hashes."""
    row = "ROW(1, '2026-01-01Z', '', '', '', '', '', '', %s, %s, '{}', '', '')::audit_event"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT audit_hash({row}), audit_hash({row})", ["ab", "c", "a", "bc"])
        first, second = cursor.fetchone()
    assert first != second


def test_numbers_have_no_gaps_when_an_act_is_undone() -> None:
    happen(1)
    with transaction.atomic():
        happen(2)
        transaction.set_rollback(True)
    happen(1)
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2]


def test_the_time_zone_of_a_session_changes_no_hash() -> None:
    for zone in ("Pacific/Kiritimati", "America/St_Johns"):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL timezone = '{zone}'")
            happen(1)
            assert verify_trail([]).problem is None
            cursor.execute("SET LOCAL timezone = 'UTC'")
        assert verify_trail([]).problem is None
        assert newest().hash == independent_hash(newest())


# --- what never gets in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "details",
    [
        {"memories": "Alice likes cheese"},
        {"ids": ["a", "two words"]},
        {"ids": ["x"] * (MAX_IDS + 1)},
        {"form": "x" * 81},
        {"form": "grüße"},
        {"form": "a\nb"},
        {"kind": 1.5},
        {"kind": {"nested": 1}},
        {"text": 1},
        {"q": "cheese"},
        {"email": "a"},
        {"ids": ["alice@example.com"]},
    ],
)
def test_details_are_counts_ids_and_words(details: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        record(Action.EXPORT_ASKED, actor=ACTOR, details=details)
    assert not Event.objects.exists()


@pytest.mark.parametrize("object", ["Alice likes cheese", "alice@example.com", "x" * 81, "a\n"])
def test_the_object_is_an_id_or_a_word(object: str) -> None:
    with pytest.raises(ValueError):
        record(Action.EXPORT_ASKED, actor=ACTOR, object=object)
    assert not Event.objects.exists()


def test_addresses_are_taken_out_of_reasons() -> None:
    record(Action.GRANT_OPENED, actor=ACTOR, reason="Wrote from alice.b+c@mail.example.com (and <bob@example.org>)")
    assert newest().reason == "Wrote from (address) (and <(address)>)"


def test_reasons_are_cut_to_their_length() -> None:
    record(Action.GRANT_OPENED, actor=ACTOR, reason="x\0" * 900)
    assert newest().reason == "x" * 500


# --- read only -------------------------------------------------------------------------------------------------------


def test_the_model_cannot_write() -> None:
    happen(1)
    event = newest()
    attempts = [
        lambda: event.save(),
        lambda: event.delete(),
        lambda: Event.objects.create(seq=9),
        lambda: Event.objects.bulk_create([Event(seq=9)]),
        lambda: Event.objects.update(actor="x"),
        lambda: Event.objects.all().delete(),
        lambda: Event.objects.filter(seq=1).update(actor="x"),
        lambda: Event.objects.get_or_create(seq=9),
        lambda: Event.objects.update_or_create(seq=9),
        lambda: Event.objects.bulk_update([event], ["actor"]),
    ]
    for attempt in attempts:
        with pytest.raises(ReadOnly):
            attempt()
    assert Event.objects.count() == 1
    assert newest().hash == event.hash


# --- before somebody reads -------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_event_that_must_stand_first_is_refused_where_it_could_be_undone() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record_first(Action.MEMORY_REVEALED, actor=ACTOR)
    assert not Event.objects.exists()
    assert record_first(Action.MEMORY_REVEALED, actor=ACTOR) == 1


# --- names in the trail ----------------------------------------------------------------------------------------------


def test_a_name_is_an_hmac_under_a_key_of_its_own() -> None:
    bob = SubjectId("bob")
    assert known_pseudonym(ALICE) is None
    names = [pseudonym(ALICE), pseudonym(bob), pseudonym(ALICE)]
    assert names[0] == names[2] != names[1]
    key = bytes(SubjectKey.objects.get(subject=ALICE).key)
    assert names[0] == hmac.new(key, ALICE.encode(), hashlib.sha256).hexdigest()
    assert len(set(SubjectKey.objects.values_list("key", flat=True))) == 2
    assert known_pseudonym(ALICE) == names[0]
    assert set(known_pseudonyms([ALICE, bob, SubjectId("carol")])) == set(names)


def test_a_name_is_64_hexadecimal_digits() -> None:
    for wrong in ("", "f" * 63, "F" * 64, "g" * 64, "f" * 64 + "\n"):
        with pytest.raises(ValueError):
            Pseudonym(wrong)


def test_without_its_key_the_trail_names_nobody() -> None:
    happen(1)
    before = newest()
    assert destroy_keys([ALICE], timezone.now()) == 1
    assert known_pseudonym(ALICE) is None
    assert newest().hash == before.hash, "the trail itself stays whole"
    happen(1)
    assert newest().subject != before.subject


def test_a_key_stays_while_the_staff_had_access_lately() -> None:
    happen(1)
    note_staff_access(ALICE)
    assert destroy_keys([ALICE], timezone.now() - timedelta(days=1)) == 0
    assert known_pseudonym(ALICE) is not None
    assert destroy_keys([ALICE], timezone.now() + timedelta(seconds=1)) == 1
