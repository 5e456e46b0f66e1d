"""Times of two ways to do the same, taken in turn: A B A B, so that a busy moment of the machine meets both."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Act = Callable[[], Any]


@dataclass
class Times:
    """Durations in milliseconds."""

    values: list[float] = field(default_factory=list)

    def take(self, act: Act) -> Any:
        began = time.perf_counter()
        result = act()
        self.values.append((time.perf_counter() - began) * 1000)
        return result

    @property
    def best(self) -> float:
        """What it takes when nobody else wants the machine."""
        return min(self.values)

    @property
    def p50(self) -> float:
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        return sorted(self.values)[min(len(self.values) - 1, int(len(self.values) * 0.95))]


def in_turn(portal: Act, plain: Act, repetitions: int) -> tuple[Times, Times]:
    """Each act `repetitions` times, both warmed up once."""
    times = Times(), Times()
    portal(), plain()
    with no_collection():
        for _ in range(repetitions):
            for taken, act in zip(times, (portal, plain), strict=True):
                taken.take(act)
    return times


def alone(act: Act, repetitions: int) -> Times:
    """One act by itself, warmed up once."""
    times = Times()
    act()
    with no_collection():
        for _ in range(repetitions):
            times.take(act)
    return times


@contextmanager
def no_collection() -> Iterator[None]:
    """What one act leaves behind must not be collected on the other's time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
