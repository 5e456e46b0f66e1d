"""Assistants in other processes, each with a plain mem0 that goes on remembering."""

import itertools
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from .plain import DIMENSIONS, mem0_at

GATE_SHUT = "MP002"
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Written:
    """What one writer did. `slowest` in milliseconds; `errors` are PostgreSQL's codes or the names of other errors."""

    writes: int
    refused: int
    slowest: float
    errors: list[str]


@dataclass
class Writers:
    """`written` is filled when the writers have ended."""

    counter: Any
    written: list[Written] = field(default_factory=list)

    def so_far(self) -> int:
        """How many writes have succeeded until now, of all writers together."""
        return int(self.counter.value)


@contextmanager
def writers(number: int, address: str, subject: str, pause: float = 0.0) -> Iterator[Writers]:
    """Processes that write for `subject` until the block ends. It begins when all of them have written once."""
    enough, counter, results = _spawn.Event(), _spawn.Value("i", 0), _spawn.Queue()
    ready = [_spawn.Event() for _ in range(number)]
    processes = [
        _spawn.Process(target=_write, args=(enough, event, counter, results, address, subject, pause), daemon=True)
        for event in ready
    ]
    for process in processes:
        process.start()
    made = Writers(counter)
    try:
        assert all(event.wait(120) for event in ready)
        yield made
    finally:
        enough.set()
        made.written += [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(20)


def _write(enough: Any, ready: Any, counter: Any, results: Any, address: str, subject: str, pause: float) -> None:
    """One process: memory after memory, as an assistant stores them, going on when one is refused."""
    logging.disable()  # mem0 logs each refusal with a traceback
    writes, refused, slowest, errors = 0, 0, 0.0, []
    with tempfile.TemporaryDirectory() as folder, mem0_at(address, Path(folder), Anywhere()) as memory:
        for number in itertools.count():
            if enough.is_set():
                break
            began = time.perf_counter()
            try:
                memory.add(f"Likes the number {number}.", user_id=subject, infer=False)
                writes += 1
                ready.set()
                with counter.get_lock():
                    counter.value += 1
            except psycopg.Error as error:
                refused += error.sqlstate == GATE_SHUT
                errors += [str(error.sqlstate)] if error.sqlstate != GATE_SHUT else []
            except Exception as error:
                errors.append(type(error).__name__)
            slowest = max(slowest, (time.perf_counter() - began) * 1000)
            time.sleep(pause)
    results.put(Written(writes, refused, slowest, errors))


class Anywhere:
    """An embedder for memories whose meaning is not the point: each text gets a direction of its own."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        seed = sum(text.encode())
        return [((place + 1) * seed % 997) / 997 - 0.5 for place in range(DIMENSIONS)]
