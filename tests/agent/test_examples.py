"""Both seeds' stories, as the example tells them: in this process, and as a script of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from examples import agent
from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.names import APP, SCOPED
from memoryportal.memory import ScopedMemory, SubjectId

pytestmark = pytest.mark.django_db
FIRST = [
    "Memories stored for both users.",
    "Alice's food results:",
    "  I am vegetarian. Please remember that.",
    "Bob's food results:",
    "Alice has 2 memories stored.",
    "  I am vegetarian. Please remember that.",
    "  Got it. I will remember you are vegetarian.",
    "All memories deleted for Alice: 2, and 2 entries of their history.",
    "Alice now has 0 memories.",
    "Bob still has 2 memories.",
]
SECOND = [
    "Alice: ['I prefer dark mode and Python.']",
    "Bob: ['I use TypeScript and like light mode.']",
    "support_bot: ['Our refund policy is 30 days for unused items.']",
    "sales_bot: ['Current promotion: 20% off all premium plans.']",
    "Alice at support_bot: ['I had an issue with order #12345.']",
    "Alice at sales_bot: 0",
]


def plain(lines: list[str]) -> list[str]:
    """Without the ids, which are others at each run."""
    return [re.sub(r"\[[0-9a-f-]{36}\] ", "", line) for line in lines]


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that the example makes up."""
    made: list[str] = []
    original = agent.somebody

    def somebody(name: str) -> str:
        made.append(original(name))
        return made[-1]

    monkeypatch.setattr(agent, "somebody", somebody)
    return made


def left(ids: list[str]) -> int:
    """Rows of theirs in any place."""
    return sum(count for name in ids for count in ScopedMemory(SubjectId(name)).held().values())


def test_two_people(people: list[str]) -> None:
    said: list[str] = []
    agent.two_people(said.append)
    assert plain(said) == FIRST
    assert left(people) == 0


def test_several_assistants(people: list[str]) -> None:
    said: list[str] = []
    agent.several_assistants(said.append)
    assert said == SECOND
    assert left(people) == 0


def script(**addresses: str) -> "subprocess.CompletedProcess[str]":
    """With the variables of an installation, in a process that knows nothing of this one."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DEBUG": "true",
        "DATA_DIR": os.environ["DATA_DIR"],
        **addresses,
    }
    path = str(PROJECT_DIR / "examples" / "agent.py")
    return subprocess.run([sys.executable, path], capture_output=True, text=True, env=env, timeout=120, cwd="/")


def addresses(memory: str) -> dict[str, str]:
    name = str(conninfo_to_dict(settings.MEMORY_DATABASE_URL)["dbname"])
    app = embedded_dsn(Path(os.environ["DATA_DIR"]), APP, name)
    return {"DATABASE_URL": app, "MEMORY_DATABASE_URL": memory}


def test_as_a_script() -> None:
    done = script(**addresses(settings.MEMORY_DATABASE_URL))
    assert done.returncode == 0, done.stderr
    assert plain(done.stdout.splitlines()) == [*FIRST, *SECOND]


def test_as_a_script_on_a_store_that_nobody_has_prepared() -> None:
    """One sentence, as somebody reads it who has not run `make demo` yet."""
    done = script(**addresses(embedded_dsn(Path(os.environ["DATA_DIR"]), SCOPED, "template1")))
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The store has no tables yet: run manage.py prepare_store."]
