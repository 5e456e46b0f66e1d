"""Rows of other programs whose parts are of any JSON type: every page of theirs opens, every file is whole."""

import csv
import io
import json
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from memoryportal.memory import ScopedMemory
from memoryportal.memory.stores import current_store

from .reading import words

pytestmark = pytest.mark.django_db

NAMES = ("agent_id", "run_id", "role", "actor_id")
ODD = [7, 1.5, True, [], ["x", {"a": 1}], {"a": {"b": 1}}]


def plant(memory: ScopedMemory, suffix: str = "", **parts: Any) -> str:
    """A row as some program stored it, with these parts; its id."""
    row_id, store = str(uuid4()), current_store()
    payload = {"user_id": str(memory.subject), "data": "Lives in Porto", "created_at": "2026-03-10T12:00:00+00:00"}
    with store.open(memory.scope) as cursor:
        cursor.execute(
            f"INSERT INTO {store.tables.name(suffix)} (id, vector, payload) VALUES (%s, %s, %s)",
            (row_id, str([0.5] * 256), Jsonb({**payload, **parts})),
        )
    return row_id


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_names_of_any_type_are_read_as_text(odd, proven, alice_memory):
    row_id = plant(alice_memory, **dict.fromkeys(NAMES, odd))
    item, text = alice_memory.get(row_id), json.dumps(odd)
    assert (item.agent, item.run, item.role, item.actor) == (text,) * 4
    assert [name for name, _ in alice_memory.summary().agents] == [text], "as the database counts it"
    for path in ("/memories/", f"/memories/{row_id}/", "/held/", "/settings/assistants/", "/erasure/", "/export/"):
        assert proven.get(path).status_code == 200, path
    assert text in words(proven.get(f"/memories/{row_id}/"))


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_every_file_of_an_export_is_whole(odd, proven, alice_memory):
    row_id = plant(alice_memory, **dict.fromkeys(NAMES, odd))
    plant(alice_memory, "entities", entity_type=odd, agent_id=odd, linked_memory_ids=[row_id])
    files = {form: proven.post(f"/export/{form}/").getvalue().decode() for form in ("json", "csv", "html")}
    assert json.loads(files["json"])["complete"]
    (row,) = [row for row in csv.DictReader(io.StringIO(files["csv"].lstrip("\ufeff"))) if row["id"] == row_id]
    assert row["agent_id"].lstrip("'") == json.dumps(odd)
    assert "# complete, 1 memories" in files["csv"]
    assert "Lives in Porto" in files["html"]


@pytest.mark.parametrize("part", [*NAMES, "created_at", "updated_at", "data"])
def test_such_a_memory_can_be_corrected_and_deleted(part, proven, alice_memory):
    row_id = plant(alice_memory, **{part: ["x", {"a": 1}]})
    version = alice_memory.get(row_id).version
    answer = proven.post(f"/memories/{row_id}/edit/", {"text": "Lives in Lisbon", "version": version})
    assert answer.status_code == 302
    assert alice_memory.get(row_id).text == "Lives in Lisbon"
    assert proven.post(f"/memories/{row_id}/delete/").status_code == 302
    assert alice_memory.count() == 0
    assert not any(alice_memory.held().values())
