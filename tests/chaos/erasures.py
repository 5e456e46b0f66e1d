"""`python -m tests.chaos.erasures`: workers that are killed with -9 at random moments while plain mem0 goes on writing.

Each worker is `manage.py worker` in a process of its own. It is killed in the middle of whatever it does, and another
one takes its place, until every request has ended and enough workers have died. What has to be true then is looked up
as a superuser. See docs/erasure.md.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.erasure.children import server, start

LEASE = 1.5  # seconds: 90 in earnest, and nobody wants to wait that long for each of hundreds of kills
FIRST_DELAY = 0.2
TOGETHER = 12  # requests that are open at one time
ENDS = ("erasure.done", "request.refused", "request.cancelled", "request.unconfirmed")


@dataclass(frozen=True, slots=True)
class Size:
    """How much. `seconds`: after this time a run that has not ended has failed."""

    requests: int = 200
    kills: int = 300
    workers: int = 4
    writers: int = 2
    pause: float = 0.02
    seconds: float = 1800
    seed: int = 1


@dataclass
class Result:
    """What came of it; `wrong` has to be all zero."""

    seconds: float = 0.0
    kills: int = 0
    attempts: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    taken_over: int = 0
    to_people: int = 0
    written: int = 0
    refused: int = 0
    erased: int = 0
    wrong: dict[str, int] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        return not any(self.wrong.values())

    def table(self) -> list[str]:
        rows = {
            "requests": f"{self.states.total()} ({_words(self.kinds)})",
            "how they ended": _words(self.states),
            "workers killed with -9": str(self.kills),
            "requests taken up again": f"{self.taken_over} times, since their worker had died",
            "attempts a request": _words(self.attempts),
            "given to people, who tried again": str(self.to_people),
            "writes of plain mem0 meanwhile": f"{self.written} made, {self.refused} refused by the gate",
            "memories erased, by the receipts": str(self.erased),
            "seconds": f"{self.seconds:.0f}",
            **{f"{name} (must be 0)": str(count) for name, count in self.wrong.items()},
        }
        width = max(map(len, rows))
        return [f"{name.ljust(width)}  {value}" for name, value in rows.items()]


def _words(counter: Counter[Any]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in sorted(counter.items(), key=lambda item: str(item[0])))


# --- a worker -------------------------------------------------------------------------------------------------------


def work() -> None:
    """What `manage.py worker` does, with a lease that ends soon after its worker."""
    from django.core.management import call_command

    from memoryportal.erasure import engine, lease

    lease.LASTS, engine.FIRST_DELAY = timedelta(seconds=LEASE), timedelta(seconds=FIRST_DELAY)
    logging.disable()
    call_command("worker", concurrency=1)


class Shift:
    """Workers at work. Only processes that it started itself are killed, by their ids."""

    def __init__(self, number: int) -> None:
        self.workers = [start(work) for _ in range(number)]

    def kill_one(self, chance: random.Random) -> None:
        place = chance.randrange(len(self.workers))
        victim = self.workers[place]
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(30)
        self.workers[place] = start(work)

    def end(self) -> None:
        for worker in self.workers:
            if worker.is_alive():
                os.kill(worker.pid, signal.SIGKILL)
            worker.join(30)


# --- the run --------------------------------------------------------------------------------------------------------


class Run:
    def __init__(self, size: Size, crowd: Any) -> None:
        self.size, self.crowd, self.result = size, crowd, Result()
        self.chance = random.Random(size.seed)
        self.waiting = list(crowd.wanted)

    def until_the_end(self) -> None:
        shift, began = Shift(self.size.workers), time.monotonic()
        try:
            while self._is_going_on():
                if time.monotonic() - began > self.size.seconds:
                    break
                self._once(shift)
        finally:
            shift.end()
            self.result.seconds = time.monotonic() - began

    def _is_going_on(self) -> bool:
        return bool(self.waiting) or self._open().exists()

    def _open(self) -> Any:
        from memoryportal.erasure.models import Erasure
        from memoryportal.erasure.states import TERMINAL

        return Erasure.objects.exclude(state__in=TERMINAL)

    def _once(self, shift: Shift) -> None:
        """Some requests come in, one worker dies, the bell is rung, and people look at what was given to them."""
        from memoryportal.erasure import decisions, tasks

        while self.waiting and self._open().count() < TOGETHER and self._in_step():
            self.crowd.ask(self.waiting.pop())
        time.sleep(self.chance.uniform(0.05, 0.7))
        if self.result.kills < self.size.kills:
            shift.kill_one(self.chance)
            self.result.kills += 1
        tasks.sweep(0)
        for erasure in self._open().filter(state="needs-attention"):
            decisions.try_again(erasure.pk, self.crowd.officers[0])
            self.result.to_people += 1

    def _in_step(self) -> bool:
        """Requests come in as workers die: the last of both at the same time."""
        asked = len(self.crowd.wanted) - len(self.waiting)
        return asked * self.size.kills < (self.result.kills + TOGETHER) * len(self.crowd.wanted)

    # --- what has to be true at the end ------------------------------------------------------------------------------

    def look(self, reports: list[dict[str, Any]], tasks: list[Any]) -> None:
        from memoryportal.audit.verify import verify_trail
        from memoryportal.erasure import ledger
        from memoryportal.erasure.models import Erasure

        erasures = list(Erasure.objects.prefetch_related("steps"))
        references = {erasure.reference for erasure in erasures}
        result = self.result
        result.states = Counter(str(erasure.state) for erasure in erasures)
        result.attempts = Counter(erasure.attempts for erasure in erasures)
        result.kinds = Counter(wanted.kind for wanted in self.crowd.wanted)
        result.written = sum(report["written"] for report in reports)
        result.refused = sum(report["refused"] for report in reports)
        result.taken_over = sum(erasure.lease_token - 2 for erasure in erasures)  # once to begin with, once to end
        steps = [step for erasure in erasures for step in erasure.steps.all()]
        result.erased = sum(step.removed for step in steps if step.place == "memories")
        result.wrong = {
            "requests that did not end as erased": len(self.crowd.wanted) - result.states["completed"],
            "rows left of what was erased": self.crowd.left(),
            "rows of others lost or changed": self.crowd.lost() + self._differences(reports, tasks),
            "requests without exactly one end": len(references) - _ended_once(references),
            "receipts that do not verify": len(erasures) - sum(map(_is_proven, erasures)),
            "steps whose counts do not add up": sum(map(_is_odd, steps)),
            "requests without a line in the ledger": len(references - {line.reference for line in ledger.read()}),
            "faults in the audit trail": int(_trouble(verify_trail().problem)),
            "writers that met another error": sum(len(report["troubles"]) for report in reports),
            "writers that did not report": len(tasks) - len(reports),
        }

    def _differences(self, reports: list[dict[str, Any]], tasks: list[Any]) -> int:
        return sum(self.crowd.differs(report, task.bystanders) for report, task in zip(reports, tasks, strict=False))


def _trouble(problem: Any) -> bool:
    if problem is not None:
        print(f"The trail: {problem}")
    return problem is not None


def _ended_once(references: set[str]) -> int:
    from memoryportal.audit.models import Event

    ends = Counter(Event.objects.filter(object__in=references, action__in=ENDS).values_list("object", flat=True))
    return sum(count == 1 for count in ends.values())


def _is_proven(erasure: Any) -> bool:
    from memoryportal.base.keys import key_ring
    from memoryportal.erasure import receipts

    return bool(receipts.verify(json.dumps(erasure.receipt), key_ring().public).valid)


def _is_odd(step: Any) -> bool:
    return bool(step.left != 0 or step.problem or step.found != step.removed)


def run(size: Size, superuser: Any, address: str, folder: Path) -> Result:
    """The whole of it on a database that is ready and empty; `address` is the superuser's, for plain mem0."""
    from .crowd import Crowd
    from .writers import Task, writing

    crowd = Crowd.gathered(superuser, size.requests, size.seed)
    going = Run(size, crowd)
    people = crowd.subjects()
    tasks = [
        Task(address, people[n :: size.writers], [f"bystander-{n}-{m}" for m in range(3)], size.pause, size.seed + n)
        for n in range(size.writers)
    ]
    with writing(server, tasks, folder) as reports:
        going.until_the_end()
    going.look(reports, tasks)
    return going.result


# --- by itself ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def own_database() -> Iterator[tuple[Any, str, Path]]:
    """A server, a database and a folder for this run alone: (superuser's connection, address, folder)."""
    import psycopg
    from django.conf import settings

    from memoryportal.base.databases import embedded_dsn
    from memoryportal.base.embedded import EmbeddedPostgres
    from memoryportal.base.names import APP
    from memoryportal.base.roles import prepare_database
    from tests.conftest import _migrate, become
    from tests.erasure import loaded  # noqa: F401 - sets Django up

    data_dir = Path(settings.DATA_DIR)
    with EmbeddedPostgres(data_dir, durable=False), tempfile.TemporaryDirectory() as folder:
        prepare_database(embedded_dsn(data_dir, "postgres", "postgres"), "chaos")
        _migrate("chaos")
        become(APP, "chaos")
        address = embedded_dsn(data_dir, "postgres", "chaos")
        with psycopg.connect(address, autocommit=True) as superuser:
            yield superuser, address, Path(folder)
        become(APP, "chaos")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.erasures", description=__doc__)
    for name, value in (("requests", 200), ("kills", 300), ("workers", 4), ("writers", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    os.nice(10)
    with own_database() as (superuser, address, folder):
        result = run(Size(**vars(asked)), superuser, address, folder)
    print("\n".join(result.table()))
    print("Everything is as it has to be." if result.is_right else "Something is wrong.")
    return 0 if result.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
