"""What the states allow, the database allows, and nothing else: whoever writes, by whatever way."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.base.databases import embedded_dsn
from memoryportal.base.names import APP, OWNER
from memoryportal.erasure import decisions
from memoryportal.erasure.models import Erasure, PrunedCount
from memoryportal.erasure.moves import NotNow, locked, move
from memoryportal.erasure.states import TERMINAL, TRANSITIONS, State, may_go
from memoryportal.memory import SubjectId

from .making import an_erasure, path_to

pytestmark = pytest.mark.django_db
STATES = [str(state) for state in State]
PAIRS = list(itertools.product(STATES, STATES))
ALLOWED = {(str(old), str(new)) for old, news in TRANSITIONS.items() for new in news}
Login = psycopg.Connection[Any]


@contextmanager
def signed_in(role: str) -> Iterator[Login]:
    """Plain SQL as one of the logins, undone at the end."""
    dsn = embedded_dsn(Path(settings.DATA_DIR), role, str(connection.settings_dict["NAME"]))
    with psycopg.connect(dsn) as login:
        yield login
        login.rollback()


def insert(login: Login, state: str = "received", **more: Any) -> uuid.UUID:
    """A request that somebody has shown to be theirs, by SQL."""
    made = Erasure(subjects=["somebody-by-sql"], state=state)
    columns = {field.attname: field.get_db_prep_save(getattr(made, field.attname), connection) for field in FIELDS}
    columns |= {"identified_at": made.asked_at, "identified_how": "session"} | more
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    statement = psycopg.sql.SQL("INSERT INTO erasure_erasure ({}) VALUES ({})")
    marks = psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(columns))
    login.execute(statement.format(names, marks), list(columns.values()))
    return made.pk


FIELDS = Erasure._meta.concrete_fields


def at(login: Login, state: str) -> uuid.UUID:
    pk = insert(login)
    for each in path_to(state):
        login.execute("UPDATE erasure_erasure SET state = %s WHERE id = %s", (each, pk))
    return pk


def code_of(login: Login, change: str, pk: uuid.UUID, *params: Any) -> str:
    """The code with which the database refuses the change; empty where it makes it. Undone in both cases."""
    try:
        with login.transaction(force_rollback=True):
            login.execute(f"UPDATE erasure_erasure SET {change} WHERE id = %s", (*params, pk))
    except psycopg.Error as error:
        return str(error.sqlstate)
    return ""


# --- the ways between them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [APP, OWNER])
def test_the_database_allows_exactly_the_ways_of_the_table(role: str) -> None:
    allowed, codes = set(), set()
    with signed_in(role) as login:
        for old in STATES:
            pk = at(login, old)
            for new in STATES:
                code = code_of(login, "state = %s", pk, new)
                codes.add(code)
                allowed |= {(old, new)} if not code else set()
    staying = {(state, state) for state in STATES}
    assert allowed == ALLOWED | staying  # a row that is saved without going anywhere
    assert codes == {"", "MP010", "MP012"}
    assert len(PAIRS) == 225


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_python_allows_exactly_the_same(old: str, new: str) -> None:
    erasure = an_erasure("somebody", state=old, identified_at=timezone.now(), identified_how="session")
    again = old == new and old in (State.ERASING, State.ON_HOLD)
    if (old, new) in ALLOWED or again:
        move(erasure, State(new))
        assert Erasure.objects.get(pk=erasure.pk).state == new
    else:
        with pytest.raises(NotNow):
            move(erasure, State(new))
        assert Erasure.objects.get(pk=erasure.pk).state == old
    assert may_go(old, new) == ((old, new) in ALLOWED)


def test_nothing_leads_out_of_an_end_and_everything_leads_to_one() -> None:
    assert {state for state in STATES if state not in TRANSITIONS} == TERMINAL
    for state in STATES:
        reached, queue = {state}, [state]
        while queue:
            new = {str(each) for each in TRANSITIONS.get(queue.pop(), ())} - reached
            reached |= new
            queue += new
        assert reached & TERMINAL, state


@pytest.mark.parametrize("state", STATES)
def test_a_request_begins_as_received(state: str) -> None:
    with signed_in(APP) as login:
        if state == State.RECEIVED:
            insert(login, state)
            return
        with pytest.raises(psycopg.Error) as refused:
            insert(login, state)
    assert refused.value.sqlstate == "MP010"


# --- what stays as it is --------------------------------------------------------------------------------------------

ASKED = {
    "id": "gen_random_uuid()",
    "reference": "'MP-0000-0000'",
    "asked_at": "asked_at - interval '1 day'",
    "channel": "'form'",
    "scope": "'account'",
    "agent": "'cook'",
    "keep_never": "NOT keep_never",
    "law": "'ccpa'",
    "ticket": "'T-17'",
}


@pytest.mark.parametrize("role", [APP, OWNER])
@pytest.mark.parametrize("column", ASKED)
def test_what_was_asked_does_not_change(role: str, column: str) -> None:
    with signed_in(role) as login:
        for state in STATES:
            assert code_of(login, f"{column} = {ASKED[column]}", at(login, state)) == "MP011"


def test_whose_it_is_changes_only_before_it_is_decided() -> None:
    change = "subjects = ARRAY['somebody-else']"
    open_to_it, with_the_decision = set(), set()
    with signed_in(APP) as login:
        for state in STATES:
            pk = at(login, state)
            open_to_it |= {state} if not code_of(login, change, pk) else set()
            for new in TRANSITIONS.get(state, ()):
                if not code_of(login, f"{change}, state = %s", pk, str(new)):
                    with_the_decision.add(str(new))
    assert open_to_it == {"received", "identity", "approval"}
    assert with_the_decision == {"identity", "approval", "cancelled"}  # a duplicate is called off with its new ids


LOOSE = {"address": "''", "secret": "'x'", "secret_until": "now()"}
GONE = ("account_id", "filed_by_id", "identified_by_id", "attached_by_id", "approved_by_id", "reviewer_id")


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_request_that_has_ended_does_not_change(state: str) -> None:
    """Every column, but for what is forgotten afterwards."""
    values = {
        **dict.fromkeys(("DateTimeField", "DateField"), "now() - interval '9 days'"),
        **dict.fromkeys(("CharField", "EmailField"), "'changed'"),
        **dict.fromkeys(("PositiveIntegerField", "PositiveSmallIntegerField", "BigIntegerField", "ForeignKey"), "4242"),
        "ArrayField": "ARRAY['changed']::varchar[]",
        "BooleanField": "true",
    }
    with signed_in(APP) as login:
        pk = at(login, state)
        for field in FIELDS:
            if field.attname in {*ASKED, *LOOSE, "state", "receipt", "duplicate_of_id"}:
                continue
            change = f"{field.attname} = {values[field.get_internal_type()]}"
            assert code_of(login, change, pk) in ("MP011", "MP012"), field.attname
        assert code_of(login, "address = 'other@example.com'", pk) == "MP012"
        for column, value in LOOSE.items():
            assert not code_of(login, f"{column} = {value}", pk), column


def test_a_receipt_is_written_once() -> None:
    with signed_in(APP) as login:
        pk = at(login, "completed")
        login.execute("UPDATE erasure_erasure SET receipt = '{\"a\": 1}' WHERE id = %s", (pk,))
        assert code_of(login, "receipt = '{}'", pk) == "MP012"
        assert code_of(login, "receipt = NULL", pk) == "MP012"


def test_the_end_outlives_the_accounts_of_those_who_worked_on_it(alice: User, bob: User) -> None:
    erasure = an_erasure("x", account=alice, filed_by=bob, identified_by=bob, state="completed")
    alice.delete()
    bob.delete()
    after = Erasure.objects.get(pk=erasure.pk)
    assert {getattr(after, column) for column in GONE} == {None}
    assert after.state == State.COMPLETED


# --- who asks, and who decides --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({}, ""),
        ({"identified_how": "mail"}, ""),
        ({"identified_at": None}, "MP013"),
        ({"subjects": []}, "MP013"),
        ({"identified_how": "officer"}, "MP013"),
        ({"identified_how": "host"}, "MP013"),
        ({"identified_how": ""}, "MP013"),
        ({"attached_at": "2026-11-20T10:00:00Z"}, "MP013"),
        ({"identified_how": "officer", "approved_at": "2026-11-20T10:00:00Z"}, ""),
        ({"attached_at": "2026-11-20T10:00:00Z", "approved_at": "2026-11-20T10:00:00Z"}, ""),
    ],
)
@pytest.mark.parametrize("way", ["waiting", "erasing", "approval>waiting", "approval>erasing", "on-hold>waiting"])
def test_nothing_begins_without_proof_and_a_second_person(columns: dict[str, Any], code: str, way: str) -> None:
    *before, last = way.split(">")
    with signed_in(OWNER) as login:
        pk = insert(login, **columns)
        for state in before:
            login.execute("UPDATE erasure_erasure SET state = %s WHERE id = %s", (state, pk))
        assert code_of(login, "state = %s", pk, last) == code


@pytest.mark.parametrize("part", ["account", "filed_by", "identified_by", "attached_by"])
def test_nobody_is_the_second_person_of_their_own_work(part: str, alice: User) -> None:
    erasure = an_erasure("x", state="approval", **{part: alice})
    with (
        connection.cursor() as cursor,
        pytest.raises(Exception, match="nobody approves what they worked on") as refused,
    ):
        cursor.execute("UPDATE erasure_erasure SET approved_by_id = %s WHERE id = %s", [alice.pk, erasure.pk])
    assert refused.value.__cause__.sqlstate == "MP013"  # type: ignore[union-attr]


# --- two at once ----------------------------------------------------------------------------------------------------


TWICE: dict[str, Callable[[Any, User], Any]] = {
    "refuse": lambda pk, by: decisions.refuse(pk, by, "This is not about a person."),
    "cancel": lambda pk, by: decisions.cancel(pk, decisions.officer(by)),
    "approve": decisions.approve,
    "unconfirmed": lambda pk, by: decisions.unconfirmed(pk),
    "check_identity": lambda pk, by: decisions.check_identity(pk, by, "called back by telephone"),
}


@pytest.mark.parametrize("name", TWICE)
def test_an_act_that_is_repeated_is_told_so_and_changes_nothing(name: str, bob: User) -> None:
    start = {"unconfirmed": "identity", "check_identity": "identity"}.get(name, "approval")
    erasure = an_erasure("somebody-twice", state=start, identified_how="" if start == "identity" else "officer")
    if start == "approval":
        Erasure.objects.filter(pk=erasure.pk).update(identified_at=erasure.asked_at)
    TWICE[name](erasure.pk, bob)
    before = Erasure.objects.values().get(pk=erasure.pk)
    with pytest.raises(NotNow):
        TWICE[name](erasure.pk, bob)
    assert Erasure.objects.values().get(pk=erasure.pk) == before


def test_a_lock_is_on_the_request_alone(alice: User) -> None:
    """The account's row is not locked with it: signing in must not wait for an officer."""
    erasure = an_erasure(SubjectId(alice.subject), account=alice)
    locked(erasure.pk)
    with signed_in(APP) as login:
        login.execute("SET lock_timeout = '200ms'")
        login.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE NOWAIT", (alice.pk,))


def test_pruned_counts_are_numbers_only() -> None:
    assert {field.attname for field in PrunedCount._meta.concrete_fields} == {
        "id",
        "month",
        "channel",
        "state",
        "count",
    }
