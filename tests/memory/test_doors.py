"""A memory is opened through few doors, and mem0 is known in one room: read from the source itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "memoryportal"
# Who may say whose memories these are, and where they know it from.
DOORS = {
    "memoryportal/memory": "the room itself",
    "memoryportal/accounts/middleware.py": "the session: one's own",
    "memoryportal/erasure/reach.py": "an erasure that was asked for",
    "memoryportal/erasure/replay.py": "the ledger, after a restore",
    "memoryportal/support/grants.py": "an open access of the staff",
    "memoryportal/agent/door.py": "a subject token",
    "memoryportal/mydata/demo.py": "the demo's two people, for its command alone",
    "memoryportal/mydata/demo_requests.py": "two people of the demo who asked by letter, for its command alone",
}
# Parts of the memory room that take no ScopedMemory, or act as an operator, and who else may use them.
INNER = {
    "stores": {f"memoryportal/erasure/{module}.py" for module in ("engine", "reach", "finishing", "replay")},
    "pool": set(),
    "pipeline": set(),
    "history": set(),
    "scoped": set(),
    "knowledge": set(),
    "prepare": set(),
    "rename": set(),
    "scrub": set(),
    "inspection": set(),
    "verification": set(),
    "backdate": {"memoryportal/mydata/demo.py"},
    "conversation": {"memoryportal/agent/assistant_session.py", "memoryportal/agent/assistant_turn.py"},
}
BY_NAME = ("import_module", "import_string", "__import__")
STORES = ("mem0", "mem0ai", "qdrant_client", "valkey", "redis", "wordllama", "pgvector")


def _modules(folder: Path = PACKAGE) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            yield f"{dots}{node.module or ''}"
            yield from (f"{dots}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME and node.args:
            yield ast.unparse(node.args[0]).strip("'\"")


def _uses(tree: ast.AST, name: str) -> list[int]:
    """Lines on which `name` is used as a value; annotations and imports are none."""
    annotations = {
        id(inside)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None
        for inside in ast.walk(annotation)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if id(node) not in annotations
        and (
            (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)
        )
    ]


def _is_door(path: str) -> bool:
    return any(path == door or path.startswith(f"{door}/") for door in DOORS)


def _importers(module: str) -> set[str]:
    """Files outside the memory room that import `module` of it."""
    whole = f"memoryportal.memory.{module}"
    return {
        path
        for path, tree in _modules()
        if not path.startswith("memoryportal/memory/")
        if any(name == whole or name.startswith(f"{whole}.") for name in _imports(tree))
    }


@pytest.mark.parametrize("name", ["ScopedMemory", "Scope"])
def test_memories_are_opened_at_the_doors_only(name: str) -> None:
    """What a deletion request is about is called a scope too (erasure/models.py): that one opens nothing."""
    elsewhere = {
        path: lines
        for path, tree in _modules()
        if not _is_door(path) and path != "memoryportal/erasure/models.py"
        if not any(each.endswith(f"models.{name}") for each in _imports(tree))
        if (lines := _uses(tree, name))
    }
    assert elsewhere == {}


def test_few_act_for_the_person() -> None:
    """Everybody else is an assistant: bound by pauses and restrictions, and noted in the use log."""
    assert {path for path, tree in _modules() if _uses(tree, "for_person")} == {
        "memoryportal/accounts/middleware.py",  # who is signed in
        "memoryportal/support/grants.py",  # the staff, for somebody and in the trail
        "memoryportal/erasure/reach.py",
        "memoryportal/erasure/replay.py",
        "memoryportal/memory/conversation.py",  # across assistants: asks and notes by itself
    }


def test_only_the_session_says_whose_conversation_it_is() -> None:
    assert {path for path, tree in _modules() if _uses(tree, "Conversation")} == {
        "memoryportal/agent/assistant_session.py"
    }


@pytest.mark.parametrize("name", ["AgentKnowledge", "KnowledgeScope", "knowledge_of"])
def test_what_assistants_know_has_no_door_to_people(name: str) -> None:
    """The library and the agents' gateway use it; pages, staff and erasures do not list, change or erase it."""
    allowed = ("memoryportal/memory/", "memoryportal/agent/")
    users = {path for path, tree in _modules() if not path.startswith(allowed) and _uses(tree, name)}
    assert users == set()


def test_every_door_is_used() -> None:
    for door in DOORS:
        assert (ROOT / door).exists(), door
        if door.endswith(".py"):
            assert _uses(ast.parse((ROOT / door).read_text()), "ScopedMemory"), door


@pytest.mark.parametrize("module", INNER)
def test_the_inner_rooms_stay_closed(module: str) -> None:
    assert _importers(module) <= INNER[module]


def test_the_demo_is_made_by_its_command_alone() -> None:
    pattern = r"\bmydata\.demo(_requests)?\b|^\.+demo(_requests)?$"
    users = {path for path, tree in _modules() if any(re.search(pattern, n) for n in _imports(tree))}
    assert users == {"memoryportal/mydata/management/commands/load_demo.py"}


@pytest.mark.parametrize("library", STORES)
def test_stores_are_known_in_one_room(library: str) -> None:
    elsewhere = {
        path
        for path, tree in _modules()
        if not path.startswith("memoryportal/memory/")
        if any(name.partition(".")[0] == library for name in _imports(tree))
    }
    assert elsewhere == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from x import ScopedMemory\nScopedMemory(y)", [2]),
        ("make = ScopedMemory", [1]),
        ("import memoryportal.memory as m\nm.ScopedMemory(s)", [2]),
        ("def f(m: ScopedMemory) -> list[ScopedMemory]: ...", []),
        ("from x import ScopedMemory", []),
    ],
)
def test_the_reading_of_source_finds_uses(source: str, found: list[int]) -> None:
    assert _uses(ast.parse(source), "ScopedMemory") == found


@pytest.mark.parametrize(
    "source",
    [
        "import mem0",
        "import mem0.memory.main as m",
        "from mem0 import Memory",
        "def f():\n    from mem0.memory import main",
        "import importlib\nimportlib.import_module('mem0.memory')",
        "__import__('mem0')",
        "from django.utils.module_loading import import_string\nimport_string('mem0.Memory')",
    ],
)
def test_the_reading_of_source_finds_imports(source: str) -> None:
    assert any(name.partition(".")[0] == "mem0" for name in _imports(ast.parse(source)))
