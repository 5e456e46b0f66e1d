"""Fields of a hash hold any bytes. What is no text is shown as well as it can be, kept as it is, and hides nothing."""

import json

import pytest

from memoryportal.memory import MemoryNotFound, ScopedMemory

from . import valkey_rig
from .planting import Planter
from .test_contract import found, said
from .test_contract_changes import snapshot
from .test_contract_odd import TEA, assert_gone, assert_listed
from .valkey_rig import key_of, raw
from .valkey_server import Server

server, entry = valkey_rig.server, valkey_rig.entry
BYTES = [b"\xff\xfe", b"a\x00b", b"", b"Caf\xe9 \xed\xa0\x80"]


@pytest.mark.parametrize("odd", BYTES, ids=repr)
def test_fields_of_any_bytes(
    odd: bytes, plant: Planter, server: Server, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    others, tea = snapshot(bob), said(alice, TEA)[0]
    parts = dict.fromkeys(("agent_id", "run_id", "data", "hash", "created_at"), odd)
    row_id = plant.row(alice, **parts)
    for name in (b"metadata", b"updated_at", b"updated_text", b"created_text"):
        raw(server, row_id)[name] = odd
    assert_listed(alice, row_id, tea.id)
    assert found(alice, TEA, by="word") == {TEA}
    assert TEA in found(alice, TEA)
    item = alice.get(row_id)
    assert item.agent == odd.decode("utf-8", "surrogateescape").translate(
        {0: 0xFFFD, **dict.fromkeys(range(0xDC80, 0xDD00), 0xFFFD)}
    )
    assert alice.update(row_id, "I live in Lisbon.").text == "I live in Lisbon."
    assert raw(server, row_id)[b"agent_id"] == odd
    assert alice.delete(row_id).memories == 1
    assert_listed(alice, tea.id)
    plant.row(alice, "entities", agent_id=odd, data=odd, linked_memory_ids=[tea.id])
    plant.row(alice, **parts)
    assert len(alice.entities()) == 1
    assert alice.erase().memories == 2
    assert_gone(alice)
    assert snapshot(bob) == others


def test_owner_of_other_bytes_is_nobody_here(plant: Planter, server: Server, alice: ScopedMemory) -> None:
    row_id = plant.row(alice, user_id=str(alice.subject).encode() + b"\xff")
    assert_listed(alice)
    for act in (alice.get, alice.delete, lambda asked: alice.update(asked, "y")):
        with pytest.raises(MemoryNotFound):
            act(row_id)
    assert alice.erase().memories == 0
    assert key_of(row_id) in server.keyspace


@pytest.mark.parametrize("depth", [100, 3000, 100_000])
def test_metadata_of_any_depth_hides_nothing(depth: int, plant: Planter, server: Server, alice: ScopedMemory) -> None:
    row_id, tea = plant.row(alice), said(alice, TEA)[0]
    raw(server, row_id)[b"metadata"] = b'{"note": ' + b"[" * depth + b"]" * depth + b"}"
    assert_listed(alice, row_id, tea.id)
    assert alice.erase().memories == 2


def test_half_a_character_in_metadata_can_be_shown(plant: Planter, server: Server, alice: ScopedMemory) -> None:
    row_id = plant.row(alice)
    raw(server, row_id)[b"metadata"] = b'{"role": "\\ud800", "note": ["\\udfff", {"\\ud83d": "\\ud83e\\uded0"}]}'
    item = alice.get(row_id)
    assert item.role == "\ufffd"
    assert item.metadata == {"note": ["\ufffd", {"\ufffd": "🫐"}]}
    json.dumps(item.metadata, ensure_ascii=False).encode()
