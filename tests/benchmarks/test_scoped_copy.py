"""What it costs to have an object for each person: one that reads, and mem0's pipeline bound to it."""

import timeit

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.scope import Scope
from memoryportal.memory.stores import current_store

from .report import Report

PART = "an object for each person"
TIMES, ROUNDS = 2_000, 7


def test_scoped_copy(django_db_setup: None, report: Report) -> None:
    store, template, subject = current_store(), pipeline(), SubjectId("8a4ef0ab-7c32-4b0e-9a55-0b2f62ad7f1d")
    scope = Scope(subject)
    acts = {
        "checking an id": lambda: SubjectId("8a4ef0ab-7c32-4b0e-9a55-0b2f62ad7f1d"),
        "making a ScopedMemory": lambda: ScopedMemory(subject),
        "binding mem0's pipeline to it": lambda: template.bind(store, scope),
    }
    assert template.bind(store, scope).vector_store.scope is scope
    for what, act in acts.items():
        micro = min(timeit.repeat(act, number=TIMES, repeat=ROUNDS)) / TIMES * 1e6
        report.note(PART, what, f"{micro:.1f} µs", numbers={"microseconds": micro})
