"""A connection that is cut, anywhere: the call fails in words, and what they say about the change is true."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from memoryportal.memory import NotConfirmed, ScopedMemory, StoreUnavailable, controls, pool
from memoryportal.memory.stores import current_store

from ..proxy import Proxy
from .calls import CALLS, CHANGES, READS, assert_free_of_content, fill, rows_repeated_in_errors
from .planted import Superuser, stored


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("lost", ["the message", "the answer"])
def test_a_connection_that_is_cut_anywhere(
    superuser: Superuser, alice: ScopedMemory, proxy: Proxy, name: str, lost: str
) -> None:
    """At every single message of every call: it fails in words, and what it says about the change is true."""
    cut = proxy.cut_before if lost == "the message" else proxy.cut_after
    for number in range(1, 200):
        proxy.forward()
        pool.close_all()  # a pool whose connection was cut waits a second before it connects again
        for state in ("paused", "restricted"):
            controls.reopen(current_store(), alice.subject, state)
        alice.erase()
        memory_id = fill(superuser, alice)
        alice.page()  # the connection is there: what is cut is the work, not the way to it
        before = stored(superuser)
        whole = READS[name](alice, memory_id) if name in READS else None
        cut(number)
        try:
            answer = CALLS[name](alice, memory_id)
        except NotConfirmed as error:
            assert_free_of_content(error)
            assert name in CHANGES
            assert number > 1
        except StoreUnavailable as error:
            assert_free_of_content(error)
            assert stored(superuser) == before, number
        else:
            assert name in CHANGES or answer == whole, number  # a new connection, but never half an answer
            if proxy.sent < number:
                break
    else:
        pytest.fail("never came to an end")
    proxy.forward()
    assert number > 2
    if name in CHANGES and name not in ("controls.reopen", "controls.resume", "controls.unrestrict"):
        assert stored(superuser) != before


def test_a_server_that_stops_in_the_middle_of_a_deletion(
    superuser: Superuser, alice: ScopedMemory, proxy: Proxy
) -> None:
    fill(superuser, alice)
    before = stored(superuser)
    for table in ("memories", "memories_entities", "memories_history", "memories_messages"):
        with psycopg.connect(superuser.info.dsn) as holder:
            holder.execute(psycopg.sql.SQL("LOCK TABLE {} IN SHARE MODE").format(psycopg.sql.Identifier(table)))
            with ThreadPoolExecutor(1) as executor:
                erasing = executor.submit(alice.erase)
                _until_somebody_waits(superuser)
                superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                )
                with pytest.raises(StoreUnavailable) as failure:
                    erasing.result(20)
        assert not isinstance(failure.value, NotConfirmed)
        assert_free_of_content(failure.value)
        assert stored(superuser) == before


def _until_somebody_waits(superuser: Superuser) -> None:
    end = time.monotonic() + 10
    while superuser.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["add", "update"])
def test_a_row_that_is_refused_is_not_repeated(superuser: Superuser, alice: ScopedMemory, name: str) -> None:
    memory_id = fill(superuser, alice)
    before = stored(superuser)
    with rows_repeated_in_errors(superuser), pytest.raises(StoreUnavailable) as failure:
        CHANGES[name](alice, memory_id)
    assert failure.value.__context__ is not None  # the driver's error is there, and empty
    assert_free_of_content(failure.value)
    assert stored(superuser) == before
