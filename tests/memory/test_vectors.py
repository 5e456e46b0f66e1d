"""Vectors with which nothing can be compared: an embedder that gives one is refused, a row that has one is not near."""

from typing import Any

import pytest

from memoryportal.memory import EmbedderUnavailable, ScopedMemory

from .model_server import ModelServer
from .planted import SOMEWHERE, Superuser, payload, plant, stored

NOWHERE = [0.0] * len(SOMEWHERE)
USELESS = {"zeros": NOWHERE, "no number": [float("nan")] * len(SOMEWHERE), "endless": [float("inf"), *SOMEWHERE[1:]]}


@pytest.fixture
def embeds(settings: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the configured embedder answers from now on, under "vector"; the truth while there is none."""
    settings.MEM0_CONFIG = model_server.mem0_config(llm=False)
    said: dict[str, Any] = {}
    truth = model_server.answer

    def answer(path: str, asked: dict[str, Any]) -> Any:
        body = truth(path, asked)
        if body is not None and "vector" in said:
            body["data"] = [{**entry, "embedding": said["vector"]} for entry in body["data"]]
        return body

    monkeypatch.setattr(model_server, "answer", answer)
    return said


@pytest.mark.parametrize("kind", USELESS)
def test_a_vector_that_points_nowhere_finds_nothing_and_stores_nothing(
    superuser: Superuser, alice: ScopedMemory, embeds: dict[str, Any], kind: str
) -> None:
    item = alice.add("I drink tea")[0]
    before = stored(superuser)
    embeds["vector"] = USELESS[kind]
    for act in (
        lambda: alice.search("something else"),
        lambda: alice.add("I drink coffee"),
        lambda: alice.update(item.id, "I drink coffee"),
    ):
        with pytest.raises(EmbedderUnavailable):
            act()
    assert stored(superuser) == before


def test_a_row_whose_vector_points_nowhere_is_near_nothing(
    superuser: Superuser, alice: ScopedMemory, settings: Any
) -> None:
    """A plain mem0 with an embedder that fails like that stores such rows."""
    settings.SEARCH_FLOOR = 0.19
    plant(superuser, [payload(alice.subject, "stored by another program")], [NOWHERE])
    alice.add("I am vegetarian.")
    assert [hit.item.text for hit in alice.search("food preferences").hits] == ["I am vegetarian."]
    assert [hit.item.text for hit in alice.search("another program", by="word").hits] == ["stored by another program"]
    assert alice.page().total == 2
