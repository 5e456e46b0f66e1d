"""Add, search, list, read, correct, delete: what an assistant does with a token of its own."""

import pytest

from .calling import Assistant, code

pytestmark = pytest.mark.django_db


def test_smoke(alice: Assistant, bob: Assistant) -> None:
    mine = alice.add("I am vegetarian.")
    bob.add("I always want a window seat.")
    assert alice.texts() == ["I am vegetarian."]
    answer = alice.call("post", "/memories/search", {"query": "food preferences"})
    assert [memory["id"] for memory in answer.json()["memories"]] == [mine]
    assert code(bob.call("get", f"/memories/{mine}")) == "not-found"
    assert bob.call("get", "/summary").json()["total"] == 1
    assert alice.call("patch", f"/memories/{mine}", {"text": "I am vegan."}).json()["text"] == "I am vegan."
    print(alice.call("delete", f"/memories/{mine}").json())
    assert alice.texts() == []
