"""The stand-in, with the portal running on it."""

import uuid
from collections.abc import Iterator

import pytest
from django.test import override_settings

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import close_all

from .filters import conjunctions
from .helpers import QUICK, be_patient
from .server import Platform
from .state import similarity


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Platform]:
    similarity("warm", "up")  # the first text loads the embedder
    with Platform() as platform, override_settings(MEM0_API_KEY=platform.key, MEM0_HOST=platform.url):
        prepare_store()
        yield platform
        close_all()


@pytest.fixture
def platform(running: Platform) -> Iterator[Platform]:
    """As new. At the end every request must have been one of the published description, about one person each."""
    running.reset()
    be_patient(QUICK)
    yield running
    assert running.violations == []
    for asked in running.requests:
        assert asked.query.get("page_size", 0) <= 200
        assert asked.name != "memories_delete_all" or set(asked.query) == {"user_id"}
        for alternative in conjunctions(asked.body["filters"]) if "filters" in asked.body else []:
            assert [value for field, value in alternative if field == "user_id"] not in ([], ["*"])


@pytest.fixture
def alice(platform: Platform) -> ScopedMemory:
    return ScopedMemory.for_person(SubjectId(f"alice-{uuid.uuid4().hex[:8]}"))


@pytest.fixture
def bob(platform: Platform) -> ScopedMemory:
    """The other person, with three memories that a leak would show."""
    memory = ScopedMemory.for_person(SubjectId(f"bob-{uuid.uuid4().hex[:8]}"))
    for text in ("I play the cello.", "I live in Porto.", "I fear dogs."):
        platform.state.store(memory=text, user_id=str(memory.subject))
    return memory
