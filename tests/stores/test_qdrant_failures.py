"""Whatever fails in Qdrant is called by its name: never an empty list, never a success."""

import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import override_settings
from qdrant_client import QdrantClient
from qdrant_client.local.persistence import CollectionPersistence

from memoryportal.memory import NotConfirmed, ScopedMemory, StoreUnavailable, controls
from memoryportal.memory.stores import close_all, current_store, qdrant_connection
from tests.memory.calls import CALLS

from .qdrant_rows import payload, plant, qdrant_store, somebody
from .qdrant_server import Server
from .registry import mem0_config
from .test_contract import said, texts
from .test_contract_down import BESIDE

HOLD = """import sys
from qdrant_client import QdrantClient
from qdrant_client.local.persistence import CollectionPersistence
client = QdrantClient(path=sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
client.close()
"""


MISSING = "00000000-0000-4000-8000-000000000000"
VERBS: dict[str, Callable[[ScopedMemory], object]] = {
    name: lambda memory, call=call: call(memory, MISSING) for name, call in CALLS.items() if name not in BESIDE
}


def refused_by_all(memory: ScopedMemory) -> set[str]:
    """Every verb must say that the store cannot be used; what they say."""
    sentences = set()
    for verb, act in VERBS.items():
        with pytest.raises(StoreUnavailable) as unavailable:
            print(verb, act(memory))
        sentences.add(str(unavailable.value))
        assert unavailable.value.__suppress_context__ or unavailable.value.__context__ is None
    return sentences


def test_second_process_is_told_why_it_cannot_have_the_folder(qdrant_folder: Path) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    close_all()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(qdrant_folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        assert all("already open in another process" in sentence for sentence in refused_by_all(alice))
        other.communicate("\n")
    assert texts(alice.page().items) == ["I like tea."]


# --- failures ---------------------------------------------------------------------------------------------------


def test_folder_that_vanishes_is_never_an_empty_list(qdrant_folder: Path) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    shutil.move(qdrant_folder, f"{qdrant_folder}-away")
    assert refused_by_all(alice) == {"the embedded Qdrant folder has been removed or replaced while it was in use"}
    unread = {place.place: place.count for place in alice.residue()}
    assert unread == {"memories": None, "entities": None, "history": 1, "messages": 0, "uses": 0, "never": 0}
    shutil.move(f"{qdrant_folder}-away", qdrant_folder)
    close_all()
    assert texts(alice.page().items) == ["I like tea."]


def test_server_that_vanishes_is_never_an_empty_list(qdrant_server: Server) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    address = qdrant_server.server_address
    qdrant_server.vanish()
    assert refused_by_all(alice) == {"the store could not be used (ConnectError)"}
    assert {place.place: place.count for place in alice.residue()} == {
        "memories": None,
        "entities": None,
        "history": 1,
        "messages": 0,
        "uses": 0,
        "never": 0,
    }
    with Server(address) as again:  # type: ignore[arg-type]
        again.engine = qdrant_server.engine
        thread = threading.Thread(target=again.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        assert texts(alice.page().items) == ["I like tea."]
        again.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "said_so"),
    [(401, "refused the portal's key"), (403, "refused the portal's key"), (500, r"\(500\)"), (429, r"\(429\)")],
)
def test_answers_that_are_errors(qdrant_server: Server, status: int, said_so: str) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    qdrant_server.failing = lambda operation, body: (status, f"failed on {body}")
    sentences = refused_by_all(alice)
    assert len(sentences) == 1
    with pytest.raises(StoreUnavailable, match=said_so) as unavailable:
        alice.add("I like cake.")
    assert "cake" not in f"{unavailable.value!r}{unavailable.value.args}"
    qdrant_server.failing = lambda operation, body: None
    assert texts(alice.page().items) == ["I like tea."]
    assert alice.held()["history"] == 1


@pytest.mark.parametrize("silent", ["connect", "answer"])
def test_silent_server_is_given_up_in_time(django_db_setup: None, monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    """One that accepts and never answers, and one whose queue is full, so that connecting itself takes for ever."""
    alice = somebody()
    monkeypatch.setattr(qdrant_connection, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(qdrant_connection, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        full = [socket.socket() for _ in range(4)] if silent == "connect" else []
        for client in full:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        with override_settings(**mem0_config("qdrant", host="127.0.0.1", port=port)):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                alice.page()
            assert time.monotonic() - began < 4
            with pytest.raises(StoreUnavailable):
                alice.erase()
            close_all()
        for client in full:
            client.close()


def test_write_whose_answer_never_came_is_called_unconfirmed(
    qdrant_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = somebody()
    monkeypatch.setattr(qdrant_connection, "STATEMENT_SECONDS", 1)
    close_all()
    qdrant_server.failing = lambda operation, body: time.sleep(1.5) if operation == "upsert" else None
    with pytest.raises(NotConfirmed):
        alice.add("I like tea.")


@pytest.mark.parametrize("failing", ["delete", "scroll"])
def test_deletion_that_fails_changes_nothing_and_can_be_asked_for_again(qdrant_server: Server, failing: str) -> None:
    alice = somebody()
    items = said(alice, "I like tea.", "I like cake.")
    before = alice.held()
    qdrant_server.failing = lambda operation, body: (500, "no") if operation == failing else None
    with pytest.raises(StoreUnavailable):
        alice.delete_many([item.id for item in items])
    with pytest.raises(StoreUnavailable):
        alice.erase()
    qdrant_server.failing = lambda operation, body: None
    assert alice.held() == before
    assert alice.delete(items[0].id).counts == {"memories": 1, "entities": 0, "history": 1, "messages": 0, "uses": 0}
    assert alice.erase().counts == {"memories": 1, "entities": 0, "history": 1, "messages": 0, "uses": 0, "never": 0}
    assert {place.count for place in alice.residue()} == {0}


def test_erasure_that_cannot_be_verified_is_no_success_and_finishes_later(qdrant_server: Server) -> None:
    """Qdrant deletes, and then cannot be asked whether it did: the side tables wait for the next attempt."""
    alice = somebody()
    said(alice, "I like tea.", "I like cake.")
    qdrant_server.failing = lambda operation, body: (500, "no") if operation == "retrieve" else None
    with pytest.raises(StoreUnavailable):
        alice.erase()
    qdrant_server.failing = lambda operation, body: None
    assert alice.held() == {"memories": 0, "entities": 0, "history": 2, "messages": 0, "uses": 0, "never": 0}
    assert alice.erase().counts == {"memories": 0, "entities": 0, "history": 2, "messages": 0, "uses": 0, "never": 0}
    assert {place.count for place in alice.residue()} == {0}


def test_server_that_lies_about_a_deletion_is_found_out(qdrant_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = somebody()
    item = said(alice, "I like tea.")[0]
    monkeypatch.setattr(qdrant_server.engine.local, "delete", lambda *arguments: None)
    for act in (lambda: alice.delete(item.id), alice.erase):
        with pytest.raises(StoreUnavailable, match="still has them"):
            act()
    assert (alice.held()["memories"], alice.held()["history"]) == (1, 1)
    assert {place.place: place.count for place in alice.residue()}["memories"] == 1


def test_failed_addition_leaves_nothing(qdrant_server: Server) -> None:
    alice = somebody()
    qdrant_server.failing = lambda operation, body: (500, "no") if operation == "upsert" else None
    with pytest.raises(StoreUnavailable):
        alice.add([{"role": "user", "content": "I like tea."}, {"role": "user", "content": "I like cake."}])
    qdrant_server.failing = lambda operation, body: None
    assert set(alice.held().values()) == {0}
    assert alice.past() == []


def test_several_messages_are_one_request(qdrant_server: Server) -> None:
    alice = somebody()
    qdrant_server.engine.asked.clear()
    alice.add([{"role": "user", "content": f"Note {number}."} for number in range(5)])
    assert [len(body["points"]) for operation, body in qdrant_server.engine.asked if operation == "upsert"] == [5]


def test_program_without_the_portal_is_found_by_reading_again(qdrant_folder: Path) -> None:
    """Not fenced, and said so: what such a program adds while erasing is not refused, but never called gone."""
    alice = somebody()
    said(alice, "I like tea.")
    controls.shut(current_store(), alice.subject, "erasing")
    assert alice.erase().memories == 1
    plant(payload(alice, "I like cake."))
    assert {place.place: place.count for place in alice.residue()}["memories"] == 1
    assert alice.erase().memories == 1
    assert {place.count for place in alice.residue()} == {0}
    controls.reopen(current_store(), alice.subject, "erasing")


def test_vectors_of_another_length_are_refused(qdrant_server: Server) -> None:
    alice = somebody()
    store = qdrant_store()
    with pytest.raises(StoreUnavailable):
        store.insert_rows(store.tables.name(), [(str(uuid.uuid4()), [0.1] * 7, payload(alice, "short"))])
    assert alice.count() == 0


def test_verification_of_a_folder_reads_its_files(qdrant_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was deleted in the client's memory only would be back after the next start."""
    alice = somebody()
    said(alice, "I like tea.")
    with monkeypatch.context() as forgetful:
        forgetful.setattr(CollectionPersistence, "delete", lambda self, point_id: None)
        assert alice.erase().memories == 1
    assert alice.count() == 0
    assert {place.place: place.count for place in alice.residue()}["memories"] == 1
    assert alice.erase().memories == 1
    assert {place.count for place in alice.residue()} == {0}


def stored_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_deleted_rows_are_gone_from_the_files_as_well(qdrant_folder: Path) -> None:
    """Another process that opens the folder afterwards finds nothing of it, nor does one that reads the bytes."""
    alice = somebody()
    items = said(alice, *[f"I like zanzibar number {number}." for number in range(30)])
    assert b"zanzibar" in stored_bytes(qdrant_folder)
    alice.update(items[0].id, "I like tea.")
    alice.delete(items[1].id)
    assert b"zanzibar number 0." not in stored_bytes(qdrant_folder)
    alice.erase()
    close_all()
    assert b"zanzibar" not in stored_bytes(qdrant_folder)
    client = QdrantClient(path=str(qdrant_folder))
    assert client.count("contract_qdrant").count == 0
    client.close()
