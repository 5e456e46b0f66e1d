"""One store at a time, and people on it whom nobody else has.

The fixture `store` runs a test once for each entry of registry.py. What a test leaves behind is erased by subject.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import close_all, current_store
from memoryportal.memory.stores.base import Store

from .planting import Planter
from .qdrant_server import KEY, Server, serving
from .registry import ENTRIES, Entry, mem0_config

Person = Callable[..., ScopedMemory]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(variable): runs only where this environment variable is set")
    config.addinivalue_line("filterwarnings", "ignore:Api key is used with an insecure connection")  # to 127.0.0.1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A store that is not there is deselected and counted as such: a skipped test looks like one that was tried."""
    absent = [item for item in items if any(not os.environ.get(mark.args[0]) for mark in item.iter_markers("needs"))]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def parameter(entry: Entry) -> object:
    marks = [pytest.mark.needs(entry.needs)] if entry.needs else []
    return pytest.param(entry, id=entry.name, marks=marks)


@pytest.fixture(scope="module", params=[parameter(entry) for entry in ENTRIES])
def entry(request: pytest.FixtureRequest) -> Entry:
    return request.param


@pytest.fixture(scope="module")
def store(entry: Entry, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The store in force, prepared."""
    with entry.settings(tmp_path_factory.mktemp(entry.name)) as changed, override_settings(**changed):
        if entry.side:
            prepare_store()
        yield current_store()
        close_all()


@pytest.fixture
def person(store: Store) -> Iterator[Person]:
    """Makes somebody: `person("carol", agent="planner")`. The same name is the same person within a test.

    `exactly=True` takes the name as the whole subject id, for ids whose characters matter.
    """
    tag, made = uuid.uuid4().hex[:8], set()

    def make(
        name: str = "carol", agent: str | None = None, run: str | None = None, exactly: bool = False
    ) -> ScopedMemory:
        subject = SubjectId(name if exactly else f"{name}-{tag}")
        made.add(subject)
        return ScopedMemory.for_person(subject, agent=agent, run=run)

    yield make
    for subject in made:
        controls.reopen(store, subject, "erasing")
        controls.reopen(store, subject, "paused")
        controls.reopen(store, subject, "restricted")
        ScopedMemory(subject).erase()


@pytest.fixture
def alice(person: Person) -> ScopedMemory:
    return person("alice")


@pytest.fixture
def bob(person: Person) -> ScopedMemory:
    """The other person: three memories that a leak would show."""
    memory = person("bob")
    memory.add(
        [{"role": "user", "content": text} for text in ("I play the cello.", "I live in Porto.", "I fear dogs.")]
    )
    return memory


@pytest.fixture
def plant(entry: Entry, store: Store) -> Planter:
    return Planter(store, entry.side)


@pytest.fixture
def qdrant_folder(django_db_setup: None, tmp_path: Path) -> Iterator[Path]:
    """The portal on an embedded folder of this test's own, prepared."""
    with override_settings(**mem0_config("qdrant", path=str(tmp_path / "qdrant"))):
        prepare_store()
        yield tmp_path / "qdrant"
        close_all()


@pytest.fixture
def qdrant_server(django_db_setup: None) -> Iterator[Server]:
    """The portal on a stand-in for a server, prepared."""
    with serving() as running, override_settings(**mem0_config("qdrant", url=running.url, api_key=KEY)):
        prepare_store()
        yield running
        close_all()


@pytest.fixture(autouse=True)
def no_foreign_row() -> Iterator[None]:
    """Whatever a test does, the second look at the rows must have had nothing to drop."""
    before = FOREIGN_ROWS.count
    yield
    assert FOREIGN_ROWS.count == before
