"""What is special about Qdrant: which one, its collections, rows of a plain mem0, threads."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from mem0.vector_stores.qdrant import Qdrant as PlainQdrant
from qdrant_client import models

from memoryportal.memory import (
    Filters,
    MemoryChanged,
    MemoryNotFound,
    ScopedMemory,
    StoreNotPrepared,
    StoreRefused,
    SubjectId,
)
from memoryportal.memory.configuration import configuration
from memoryportal.memory.embedding import embedder
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import close_all, current_store

from .qdrant_rows import payload, plant, qdrant_store, raw, somebody
from .qdrant_server import KEY, Server, serving
from .registry import mem0_config
from .test_contract import found, said, texts

# --- which Qdrant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said_so"),
    [
        ({"llm": {"provider": "openai"}}, "names no vector_store"),
        ({"vector_store": {}}, "names no vector_store"),
        ({"vector_store": {"provider": "qdrant"}}, "no address for qdrant"),
        ({"vector_store": {"provider": "qdrant", "config": {"host": "db.example"}}}, "no address for qdrant"),
        ({"vector_store": {"provider": "qdrant", "config": {"collection_name": "x"}}}, "no address for qdrant"),
        ({"vector_store": {"provider": "chroma", "config": {"path": "x"}}}, "pgvector, qdrant"),
    ],
)
def test_configuration_without_a_store_of_its_own_is_refused(given: dict[str, Any], said_so: str) -> None:
    with override_settings(MEM0_CONFIG=json.dumps(given)), pytest.raises(StoreRefused, match=said_so):
        configuration()


def test_folder_is_refused_in_production_and_a_server_is_not(tmp_path: Path) -> None:
    with override_settings(PRODUCTION=True, **mem0_config("qdrant", path=str(tmp_path))):
        with pytest.raises(StoreRefused, match="one process and is for trying out"):
            configuration()
    with override_settings(PRODUCTION=True, **mem0_config("qdrant", host="db.example", port=6333)):
        assert configuration().store["host"] == "db.example"
    assert list(tmp_path.iterdir()) == []


def test_limits_are_told(qdrant_folder: Path) -> None:
    abilities = current_store().abilities
    assert (abilities.fenced, abilities.atomic) == (False, False)
    assert any("not held back" in sentence for sentence in abilities.limits)
    assert any("for trying out" in sentence for sentence in abilities.limits)


# --- preparing ---------------------------------------------------------------------------------------------------


def test_prepare_creates_collections_and_indexes_once(qdrant_server: Server) -> None:
    name = current_store().tables.name()
    for collection in (name, f"{name}_entities"):
        indexes = qdrant_server.engine.indexes[collection]
        assert indexes["user_id"] == {"type": "keyword", "is_tenant": True}
        assert {key: indexes[key] for key in ("agent_id", "run_id", "created_at")} == {
            "agent_id": "keyword",
            "run_id": "keyword",
            "created_at": "datetime",
        }
    asked = len(qdrant_server.engine.asked)
    assert prepare_store() == []
    # Rows are read to count those of refused ids; nothing is written.
    assert {operation for operation, _ in qdrant_server.engine.asked[asked:]} == {"info", "scroll"}


def test_store_that_was_not_prepared_says_so(django_db_setup: None) -> None:
    alice = somebody()
    with serving() as running, override_settings(**mem0_config("qdrant", url=running.url, api_key=KEY)):
        prepare_store()
        with override_settings(**mem0_config("qdrant", url=running.url, api_key=KEY, collection_name="contract_other")):
            with pytest.raises(StoreNotPrepared, match="prepare_store"):
                alice.page()
        close_all()


def test_collection_of_another_shape_is_left_as_it_is(qdrant_folder: Path) -> None:
    name = current_store().tables.name()
    before = raw("get_collection").config
    close_all()
    with override_settings(**mem0_config("qdrant", path=str(qdrant_folder), embedding_model_dims=1536)):
        with pytest.raises(StoreRefused, match="1536 dimensions"):
            prepare_store()
        assert raw("get_collection").config == before
        assert current_store().tables.name() == name


def test_collection_of_a_plain_mem0_is_taken_over_as_it_is(django_db_setup: None, tmp_path: Path) -> None:
    """Its rows are listed in time order, whatever offset an old mem0 wrote, corrected, and erased."""
    alice, bob = somebody("alice"), somebody("bob")
    rows = [
        payload(alice, "Third.", created_at="2025-03-01T10:00:00-08:00"),
        payload(alice, "Second.", created_at="2025-03-01T12:00:00+00:00"),
        payload(alice, "Undated.", created_at=None, updated_at=None),
        payload(alice, "First.", created_at="2025-03-01T12:00:00+02:00", agent_id="planner"),
        payload(alice, "Fourth.", created_at="2025-03-01T18:00:00.5"),
        payload(bob, "Not hers.", created_at="2025-03-01T12:00:00+00:00"),
    ]
    plain = PlainQdrant("contract_qdrant", 256, path=str(tmp_path))
    plain.insert([embedder().embed(row["data"]) for row in rows], rows, [str(uuid.uuid4()) for _ in rows])
    plain.client.close()
    with override_settings(**mem0_config("qdrant", path=str(tmp_path))):
        assert [line for line in prepare_store() if "collection" in line] == [
            "created the collection contract_qdrant_entities"
        ]
        in_order = ["Fourth.", "Third.", "Second.", "First.", "Undated."]
        assert texts(alice.page().items) == in_order
        assert texts(alice.page(limit=2).items + alice.page(limit=3, after=alice.page(limit=2).next).items) == in_order
        day = datetime(2025, 3, 1, 11, tzinfo=UTC)
        assert texts(alice.page(Filters(since=day)).items) == ["Fourth.", "Third.", "Second."]
        assert (alice.count(Filters(until=day)), alice.summary(Filters(since=day)).agents) == (1, [(None, 3)])
        assert alice.summary().since == datetime(2025, 3, 1, 10, tzinfo=UTC)
        assert alice.update(alice.page().items[-1].id, "Undated no more.").created is None
        assert alice.erase().memories == 5
        assert texts(bob.page().items) == ["Not hers."]
        close_all()


def test_plain_mem0_goes_on_using_what_the_portal_prepared(qdrant_folder: Path) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    close_all()
    plain = PlainQdrant("contract_qdrant", 256, path=str(qdrant_folder))
    row = payload(alice, "I like coffee.")
    plain.insert([embedder().embed(row["data"])], [row], [str(uuid.uuid4())])
    plain.client.close()
    assert set(texts(alice.page().items)) == {"I like tea.", "I like coffee."}


# --- rows ---------------------------------------------------------------------------------------------------


def test_row_of_two_owners_is_dropped_and_reported(qdrant_folder: Path) -> None:
    """Qdrant takes a list for any of its values: such a row comes back for both, and is nobody's to see."""
    alice = somebody()
    said(alice, "Mine.")
    plant(payload(alice, "Whose?", user_id=[str(alice.subject), "bob"]))
    before = FOREIGN_ROWS.count
    assert texts(alice.page().items) == ["Mine."]
    assert FOREIGN_ROWS.count > before
    assert found(alice, "whose", by="word") == set()
    assert found(alice, "whose is it") <= {"Mine."}
    FOREIGN_ROWS.count = before  # here it was expected


def test_correction_takes_the_keyword_vector_of_a_plain_mem0_away(qdrant_folder: Path) -> None:
    """fastembed's sparse vector says which words the old wording had, as well as the old wording would."""
    alice = somebody()
    keywords = models.SparseVector(indices=[7, 11], values=[0.5, 0.25])
    memory_id = plant(payload(alice, "I like tea."), bm25=keywords)[0]
    assert raw("retrieve", ids=[memory_id], with_vectors=True)[0].vector["bm25"] == keywords
    alice.update(memory_id, "I like coffee.")
    vectors = raw("retrieve", ids=[memory_id], with_vectors=True)[0].vector
    assert "bm25" not in vectors
    assert vectors == pytest.approx(embedder().embed("I like coffee."), abs=1e-6)


def test_rewriting_refuses_a_row_that_is_gone(qdrant_folder: Path) -> None:
    alice = somebody()
    store, item = qdrant_store(), said(alice, "I like tea.")[0]
    raw("delete", points_selector=models.PointIdsList(points=[item.id]), wait=True)
    row, vector = payload(alice, "I like coffee."), embedder().embed("I like coffee.")
    for change in ((vector, row), (None, row), (vector, None)):
        with pytest.raises(MemoryChanged):
            store.rewrite_row(store.tables.name(), alice.scope, item.id, *change)
    close_all()  # the folder's files too
    assert alice.count() == 0


def test_rewriting_refuses_a_row_of_somebody_else(qdrant_folder: Path) -> None:
    alice, bob, store = somebody("alice"), somebody("bob"), qdrant_store()
    item = said(alice, "I like tea.")[0]
    before = raw("retrieve", ids=[item.id], with_vectors=True)
    row, vector = payload(bob, "I like coffee."), embedder().embed("I like coffee.")
    for change in ((vector, row), (None, row), (vector, None)):
        with pytest.raises(MemoryChanged):
            store.rewrite_row(store.tables.name(), bob.scope, item.id, *change)
    assert raw("retrieve", ids=[item.id], with_vectors=True) == before


def test_plain_deletion_during_a_correction_is_final(qdrant_server: Server) -> None:
    """The program that deletes does not wait for the portal: the row vanishes between the look and the writing."""
    alice = somebody()
    item = said(alice, "I like tea.")[0]

    def vanish(operation: str, body: dict[str, Any]) -> None:
        if operation == "batch":
            qdrant_server.engine.local.delete(current_store().tables.name(), models.PointIdsList(points=[item.id]))

    qdrant_server.failing = vanish
    with pytest.raises((MemoryNotFound, MemoryChanged)):
        alice.update(item.id, "I like coffee.")
    assert alice.count() == 0
    assert [(version.event, version.new) for version in alice.past()] == [("ADD", "I like tea.")]


def test_search_asks_for_exact_distances_of_this_person(qdrant_server: Server) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    qdrant_server.engine.asked.clear()
    assert found(alice, "tea") == {"I like tea."}
    asked = [body for operation, body in qdrant_server.engine.asked if operation == "query"]
    assert [body["params"]["exact"] for body in asked] == [True]
    assert asked[0]["filter"] == {"must": [{"key": "user_id", "match": {"value": str(alice.subject)}}]}


def test_many_rows_come_in_batches(qdrant_server: Server) -> None:
    alice = somebody()
    start = datetime(2025, 1, 1, tzinfo=UTC)
    plant(*[payload(alice, "x", created_at=(start + timedelta(hours=n)).isoformat()) for n in range(2500)])
    qdrant_server.engine.asked.clear()
    page = alice.page(limit=3)
    assert [item.created for item in page.items] == [start + timedelta(hours=n) for n in (2499, 2498, 2497)]
    assert [operation for operation, _ in qdrant_server.engine.asked].count("scroll") == 3
    assert max(body.get("limit", 0) for _, body in qdrant_server.engine.asked) == 1000
    assert (page.total, alice.count()) == (2500, 2500)
    assert alice.erase().memories == 2500
    assert {place.count for place in alice.residue()} == {0}


# --- one process, many threads ---------------------------------------------------------------------------------------


def test_two_stores_of_one_process_share_the_folder(qdrant_folder: Path) -> None:
    alice = somebody()
    said(alice, "I like tea.")
    with override_settings(
        **mem0_config("qdrant", path=f"{qdrant_folder}/../{qdrant_folder.name}", collection_name="contract_b")
    ):
        prepare_store()
        assert alice.count() == 0
    assert alice.count() == 1


def test_folder_does_not_wait_for_the_disk_after_each_row(qdrant_folder: Path) -> None:
    """The client commits every row by itself: with a disk that is waited for, erasing 10,000 takes a minute."""

    def waits() -> set[int]:
        collections = qdrant_store().qdrant._opened()._client.collections.values()
        return {c.storage.storage.execute("PRAGMA synchronous").fetchone()[0] for c in collections}

    assert waits() == {0}  # just created
    close_all()
    assert waits() == {0}  # opened again


def test_eight_threads_on_the_folder(qdrant_folder: Path) -> None:
    """Without the lock around it, the client's state breaks: wrong lists, until the folder is opened again."""
    errors: list[BaseException] = []

    def live(number: int) -> None:
        memory = ScopedMemory(SubjectId(f"thread-{number}-{uuid.uuid4().hex[:6]}"), agent=f"agent-{number}")
        try:
            for turn in range(6):
                kept = said(memory, f"Number {number} likes tea.", f"Number {number} likes cake.")
                memory.update(kept[0].id, f"Number {number} likes coffee, {turn}.")
                memory.delete(kept[1].id)
                assert memory.page().total == memory.count() == turn + 1
                assert all(f"Number {number} " in hit.item.text for hit in memory.search("coffee").hits)
            assert memory.erase().memories == 6
            assert {place.count for place in memory.residue()} == {0}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert raw("count", exact=True).count == 0
