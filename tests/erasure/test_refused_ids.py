"""An erasure whose person may have rows under an id that is refused is not called complete, and says why."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.base.databases import embedded_dsn
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import State
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.refused import plain_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def refused() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Writes what `prepare_store` would have found, as the superuser that no grant binds."""
    name = str(connection.settings_dict["NAME"])
    with psycopg.connect(embedded_dsn(Path(settings.DATA_DIR), "postgres", name), autocommit=True) as superuser:
        yield superuser
        superuser.execute("DELETE FROM memories_refused")


def found(superuser: psycopg.Connection[tuple[object, ...]], owner: str, rows: int) -> None:
    superuser.execute("INSERT INTO memories_refused (plain, rows) VALUES (%s, %s)", (plain_form(owner), rows))


def test_rows_that_may_be_the_persons_keep_it_from_being_complete(
    refused: psycopg.Connection[tuple[object, ...]], alice: User, alice_memory: ScopedMemory, alice_client: Client
) -> None:
    alice_memory.add("I drink tea", infer=False)
    found(refused, f" {alice.subject.upper()}\u200b", 3)
    erasure = engine.run(services.ask(alice, alice_memory.subject))
    assert erasure.state == State.COMPLETED_WITH_EXCEPTIONS
    steps = {step.place: (step.left, step.is_empty, bool(step.problem)) for step in erasure.steps.all()}
    assert steps.pop("memories") == (0, False, True)
    assert set(steps.values()) == {(0, True, False)}
    assert alice_memory.count() == 0
    words = " ".join(alice_client.get(f"/erasure/{erasure.id}/").content.decode().split())
    assert "Erased, except: memories" in words
    assert "3 more lie under an id that resembles yours and is malformed; we must find out whose they are." in words


@pytest.mark.parametrize("owner", ["somebody else", "*", ""])
def test_rows_of_others_do_not(
    refused: psycopg.Connection[tuple[object, ...]], alice: User, alice_memory: ScopedMemory, owner: str
) -> None:
    found(refused, owner, 3)
    assert engine.run(services.ask(alice, alice_memory.subject)).state == State.COMPLETED


def test_a_linked_id_is_looked_for_as_it_is(refused: psycopg.Connection[tuple[object, ...]], alice: User) -> None:
    subject = SubjectId("u_alice-for-this-test")
    link(alice, subject, reason="ticket 17")
    found(refused, "U_Alice-for-this-test,u_bob", 1)
    assert engine.run(services.ask(alice, subject)).state == State.COMPLETED_WITH_EXCEPTIONS
