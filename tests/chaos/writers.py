"""Assistants in processes of their own: unmodified mem0 on the very tables, which goes on when it is refused.

They connect as the superuser, whom no row security binds: what holds them back is the gate's trigger alone.
"""

import contextlib
import json
import logging
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.plain import DIMENSIONS, mem0_at

SHUT = ("MP001", "MP002")  # paused, erasing


@dataclass(frozen=True, slots=True)
class Task:
    """Who is written for: `erased` people are being erased meanwhile, `bystanders` are not, and are never refused."""

    address: str
    erased: list[str]
    bystanders: list[str]
    pause: float
    seed: int


class Towards:
    """An embedder for memories whose meaning is not the point: each text gets a direction of its own."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        direction = random.Random(text)
        return [direction.uniform(-1, 1) for _ in range(DIMENSIONS)]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.embed(text) for text in texts]


class Writer:
    """Adds, corrects and deletes. Keeps in mind what a bystander has."""

    def __init__(self, task: Task, mem0: Any) -> None:
        self.task, self.mem0 = task, mem0
        self.chance = random.Random(task.seed)
        self.own: dict[str, tuple[str, str]] = {}  # id -> (whose, text)
        self.written = self.refused = 0
        self.troubles: list[str] = []

    def write_once(self) -> None:
        people = self.task.bystanders if self.chance.random() < 0.4 else self.task.erased
        who = self.chance.choice(people or self.task.bystanders)
        act = self.chance.choices((self.add, self.correct, self.delete), (6, 2, 1))[0]
        try:
            act(who)
            self.written += 1
        except Exception as error:
            code = _code(error)
            if code in SHUT and who in self.task.erased:
                self.refused += 1
            elif who in self.task.bystanders or code not in (*SHUT, "gone"):
                self.troubles.append(f"{type(error).__name__} {code}")

    def add(self, who: str) -> None:
        text = f"{who} likes number {self.chance.randrange(10**9)}"
        for added in self.mem0.add(text, user_id=who, agent_id=self.chance.choice(("cook", "planner")), infer=False)[
            "results"
        ]:
            self.own[added["id"]] = (who, text)

    def correct(self, who: str) -> None:
        memory_id = self._one_of(who)
        if memory_id:
            text = f"{who} now likes number {self.chance.randrange(10**9)}"
            self.mem0.update(memory_id, text)
            self.own[memory_id] = (who, text)

    def delete(self, who: str) -> None:
        memory_id = self._one_of(who)
        if memory_id:
            self.mem0.delete(memory_id)
            del self.own[memory_id]

    def _one_of(self, who: str) -> str | None:
        mine = [memory_id for memory_id, (owner, _) in self.own.items() if owner == who]
        return self.chance.choice(mine) if mine else None

    def report(self) -> dict[str, Any]:
        """`has`: what its bystanders must have at the end."""
        has = {memory_id: text for memory_id, (who, text) in self.own.items() if who in self.task.bystanders}
        return {"written": self.written, "refused": self.refused, "troubles": self.troubles, "has": has}


def _code(error: BaseException) -> str:
    """PostgreSQL's code of what was refused; "gone" for a memory that is not there any more, as mem0 says it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.Error) and seen.sqlstate:
            return str(seen.sqlstate)
        seen = seen.__cause__ or seen.__context__
    return "gone" if isinstance(error, ValueError) and "not found" in str(error) else ""


def write(task: Task, ready: Any, enough: Any, told: Path) -> None:
    """One process, until `enough` is set; then its report lies in the file `told`."""
    logging.disable()  # mem0 logs each refusal with a traceback
    with tempfile.TemporaryDirectory() as folder, mem0_at(task.address, Path(folder), Towards()) as mem0:
        writer = Writer(task, mem0)
        writer.add(task.bystanders[0])
        writer.written += 1
        ready.set()
        while not enough.is_set():
            writer.write_once()
            time.sleep(task.pause)
        told.write_text(json.dumps(writer.report()))


@contextlib.contextmanager
def writing(server: Any, tasks: list[Task], folder: Path) -> Any:
    """Writers at work for the length of a block; yields a list that holds their reports afterwards."""
    enough, ready = server.Event(), [server.Event() for _ in tasks]
    files = [folder / f"writer-{number}.json" for number in range(len(tasks))]
    writers = [
        server.Process(target=write, args=(task, event, enough, file), daemon=True)
        for task, event, file in zip(tasks, ready, files, strict=True)
    ]
    reports: list[dict[str, Any]] = []
    for writer in writers:
        writer.start()
    try:
        assert all(event.wait(120) for event in ready), "a writer did not begin"
        yield reports
    finally:
        enough.set()
        for writer in writers:
            writer.join(60)
        reports += [json.loads(file.read_text()) for file in files if file.exists()]
