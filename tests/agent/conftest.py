"""A host with a service key, and assistants of two people who have no account here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memoryportal.agent.models import ServiceKey
from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.stores import current_store

from .calling import Assistant, make_key, somebody
from .llm_server import LlmServer, running
from .talking import Talker, talker

NewAssistant = Callable[..., Assistant]


@pytest.fixture
def made_key(db: None) -> tuple[ServiceKey, str]:
    return make_key()


@pytest.fixture
def service_key(made_key: tuple[ServiceKey, str]) -> ServiceKey:
    return made_key[0]


@pytest.fixture
def key(made_key: tuple[ServiceKey, str]) -> str:
    """The text of the service key."""
    return made_key[1]


@pytest.fixture
def person() -> Iterator[Callable[[str], str]]:
    """Makes ids of people; the memory tables lie outside Django's transaction, so what they leave is erased here."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(somebody(name))
        return made[-1]

    yield make
    for subject in map(SubjectId, made):
        for agent, state in controls.gate_states(current_store(), subject):
            controls.reopen(current_store(), subject, state, agent)
        ScopedMemory(subject).erase()


@pytest.fixture
def alice(key: str, person: Any) -> Assistant:
    return Assistant(key, person("alice"))


@pytest.fixture
def bob(key: str, person: Any) -> Assistant:
    return Assistant(key, person("bob"))


# --- the assistant's page --------------------------------------------------------------------------------------------


@pytest.fixture
def alice_talks(db: None) -> Iterator[Talker]:
    with talker("alice") as person:
        yield person


@pytest.fixture
def bob_talks(db: None) -> Iterator[Talker]:
    with talker("bob") as person:
        yield person


@pytest.fixture
def model(settings: Any) -> Iterator[LlmServer]:
    """A language model and an embedder, configured. It repeats everything that it is told."""
    with running() as server:
        settings.LLM_TIMEOUT_SECONDS = 2.0
        settings.SEARCH_FLOOR = 0.1
        settings.MEM0_CONFIG = server.config()
        yield server
