"""The staff's room has one door to memories, and everything behind it goes through that."""

import ast
from pathlib import Path

import pytest

import memoryportal.support

ROOM = Path(memoryportal.support.__file__).parent
DOOR = "grants.py"


def names(path: Path) -> set[str]:
    """Every name that a module mentions."""
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {node.id for node in functions if isinstance(node, ast.Name)}
    # ScopedMemory.for_person(…) makes one as well.
    called |= {
        node.value.id for node in functions if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return called | (imported & {"current_store", "bulk", "controls", "inspection"})


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_only_the_door_makes_a_scoped_memory(path: Path) -> None:
    found = names(path) & {"ScopedMemory", "current_store", "bulk", "controls", "inspection"}
    assert found == ({"ScopedMemory"} if path.name == DOOR else set())


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_only_the_look_up_asks_whether_an_id_is_there(path: Path) -> None:
    """It counts, and leaves an event: whoever asked elsewhere could try ids."""
    assert ("owns_something" in path.read_text()) == (path.name == "people.py")


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_no_page_takes_the_memory_of_the_session(path: Path) -> None:
    """request.memory is that of the member of the staff: it has no business here."""
    tree = ast.parse(path.read_text())
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "memory"]
    assert taken == []
