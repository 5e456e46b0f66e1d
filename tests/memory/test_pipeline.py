"""mem0's own pipeline, bound to one scope: the same attributes as mem0's, nobody called, no way to anybody else."""

import json
import subprocess
import sys
import threading
from typing import Any

import pytest
from mem0.memory.main import Memory

from memoryportal.memory import ScopedMemory
from memoryportal.memory.configuration import configuration
from memoryportal.memory.pipeline import Pipeline, pipeline
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import current_store

from .planted import Superuser, plant_entity


def _bound(memory: ScopedMemory) -> Any:
    return pipeline().bind(current_store(), memory.scope)


# --- the same as mem0's ----------------------------------------------------------------------------------------------


def test_the_template_has_what_mem0s_constructor_sets() -> None:
    reach = {"api_key": "dummy", "openai_base_url": "http://127.0.0.1:9/v1"}
    store = {"connection_string": configuration().dsn, "collection_name": "memories", "embedding_model_dims": 256}
    original = Memory.from_config(
        {
            "vector_store": {"provider": "pgvector", "config": store},
            "llm": {"provider": "openai", "config": {"model": "m", **reach}},
            "embedder": {"provider": "openai", "config": {"model": "m", **reach}},
            "history_db_path": ":memory:",
        }
    )
    ours = Pipeline(configuration())
    assert vars(ours).keys() == vars(original).keys()
    for name in ("api_version", "custom_instructions", "reranker", "_entity_store", "collection_name"):
        assert getattr(ours, name) == getattr(original, name)
    original.close()


def test_a_bound_copy_leaves_the_template_as_it_was(alice: ScopedMemory, bob: ScopedMemory) -> None:
    template = pipeline()
    before = dict(vars(template))
    copies = [_bound(memory) for memory in (alice, bob)]
    copies[0].prepared(["x"], "add")
    assert vars(template) == before
    assert template.vector_store is None
    assert copies[0].vector_store.scope == alice.scope
    assert copies[1].entity_store.scope == copies[1].db.scope == copies[1].unit.scope == bob.scope
    assert pipeline() is template


def test_a_changed_configuration_gets_a_template_of_its_own(settings: Any) -> None:
    """An object that is gone may leave its number to the next one; a template kept by number would be the wrong one."""
    for collection in ("first", "second", "third", "fourth"):
        store = {"provider": "pgvector", "config": {"collection_name": collection, "host": "x"}}
        settings.MEM0_CONFIG = json.dumps({"vector_store": store})
        assert pipeline().collection_name == collection


def test_mem0_tells_nobody() -> None:
    from mem0.memory import telemetry

    assert telemetry.MEM0_TELEMETRY is False
    assert telemetry.AnonymousTelemetry().posthog is None


def _in_a_process(script: str) -> str:
    """What a fresh Python prints that runs `script` against the same database."""
    database = configuration()
    start = f"""
import os, sys
os.environ.update(DJANGO_SETTINGS_MODULE="tests.settings", MEMORYPORTAL_TESTING="1")
import django
django.setup()
from django.conf import settings
settings.MEMORY_DATABASE_URL, settings.MEMORY_OWNER_URL = {database.dsn!r}, {database.owner_dsn!r}
from memoryportal.memory import ScopedMemory, SubjectId
"""
    done = subprocess.run(
        [sys.executable, "-c", start + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_nothing_but_the_database_is_called(alice: ScopedMemory) -> None:
    """Every connection and every name that is looked up, from the import to the last call."""
    script = f"""
called = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        called.append((event, str(arguments[1:])))
sys.addaudithook(watch)
memory = ScopedMemory(SubjectId({str(alice.subject)!r}))
item = memory.add("I drink tea since last week")[0]
memory.search("tea, since yesterday", limit=200)
memory.update(item.id, "I drink coffee")
memory.delete(item.id)
import mem0
print(called, "posthog" in sys.modules)
"""
    assert _in_a_process(script).startswith("[] ")


def test_reading_and_erasing_never_import_mem0(alice: ScopedMemory) -> None:
    script = f"""
memory = ScopedMemory(SubjectId({str(alice.subject)!r}))
memory.page(), memory.summary(), memory.search("tea", by="word"), memory.held(), memory.entities(), memory.messages()
memory.past(), list(memory.walk()), memory.erase(), memory.residue()
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("mem0", "openai", "wordllama", "posthog")))
"""
    assert _in_a_process(script) == "[]\n"


def test_mem0_with_its_telemetry_on_is_refused() -> None:
    script = """
os.environ["MEM0_TELEMETRY"] = "True"
import mem0.memory.telemetry
try:
    import memoryportal.memory.pipeline
except RuntimeError as error:
    print(error)
os._exit(0)
"""
    assert "telemetry is on" in _in_a_process(script)


# --- many at once ----------------------------------------------------------------------------------------------------


def test_eight_people_at_once_stay_apart(superuser: Superuser, person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """mem0 searches noted names in threads of its own: they must know whose names they search."""
    monkeypatch.setattr("mem0.memory.main.extract_entities", lambda text: [("PROPER", f"name {n}") for n in range(5)])
    people = [person(f"person{number}") for number in range(8)]
    for memory in people:
        plant_entity(superuser, memory.subject, "name 1", [memory.add("I ride a bicycle")[0].id])
    before, failures = FOREIGN_ROWS.count, []

    def live(memory: ScopedMemory) -> None:
        try:
            for number in range(6):
                item = memory.add(f"I ride a bicycle to {memory.subject}")[0]
                assert memory.update(item.id, f"I ride a bicycle from {memory.subject}").id == item.id
                found = memory.search("bicycle with name 1").hits
                assert len(found) == number + 2
                texts = {hit.item.text for hit in found} | {row.text for row in memory.page().items}
                assert texts == {"I ride a bicycle", f"I ride a bicycle from {memory.subject}"}
                assert memory.held()["history"] == 2 * number + 3
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(memory,)) for memory in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert FOREIGN_ROWS.count == before
    assert [memory.page().total for memory in people] == [7] * 8
