"""One row for each place of a request: what was found, what went, what a second look found."""

from collections.abc import Collection, Iterable, Mapping

from django.utils import timezone

from memoryportal.memory import Residue
from memoryportal.memory.places import PLACES

from .lease import Lease
from .models import Erasure, ErasureStep

PROBLEM = 200  # characters


def note_found(lease: Lease, found: Mapping[str, int], uncounted: Collection[str] = ()) -> None:
    """What is there now. Behind the gate nothing is added, so what went before is what a former attempt removed.

    Nothing is said of a place in `uncounted` unless a part of it was counted.
    """
    with lease.step() as erasure:
        _prepare(erasure, [*found, *uncounted])
        steps = list(erasure.steps.exclude(place__in=set(uncounted) - set(found)))
        for step in steps:
            step.found = max(step.found or 0, step.removed + found.get(step.place, 0))
        ErasureStep.objects.bulk_update(steps, ["found"])


def _prepare(erasure: Erasure, places: Iterable[str]) -> None:
    """A row for every place, in the order in which people read them."""
    order = {key: number for number, key in enumerate(PLACES)}
    ErasureStep.objects.bulk_create(
        [ErasureStep(erasure=erasure, place=key, order=order[key]) for key in dict.fromkeys(places)],
        ignore_conflicts=True,
    )


def note_removed(erasure: Erasure, removed: Mapping[str, int]) -> None:
    """What went, as part of the step in which it did."""
    steps = list(erasure.steps.filter(place__in=[place for place, count in removed.items() if count]))
    for step in steps:
        step.removed += removed[step.place]
    ErasureStep.objects.bulk_update(steps, ["removed"])


def note_read(lease: Lease, readings: Iterable[Iterable[Residue]]) -> None:
    """The worst of what several readings found; several subjects' rows of one place are added up."""
    found = [_added_up(reading) for reading in readings]
    worst = {place: _worst([reading[place] for reading in found if place in reading]) for place in set().union(*found)}
    now = timezone.now()
    with lease.step() as erasure:
        steps = list(erasure.steps.all())
        for step in steps:
            if step.place in worst:
                step.left, problem = worst[step.place]
                step.problem, step.verified_at = problem[:PROBLEM], now
            _settle_removed(step)
        ErasureStep.objects.bulk_update(steps, ["left", "problem", "verified_at", "found", "removed"])


def _settle_removed(step: ErasureStep) -> None:
    """An attempt that was cut off between a deletion and its note has removed what is found no more."""
    if step.left is not None and step.found is not None:
        step.removed = max(step.removed, step.found - step.left)
        step.found = max(step.found, step.removed + step.left)


Left = tuple[int | None, str]
"""How many rows are left, None where they could not be counted; and what is wrong, or nothing."""


def _added_up(reading: Iterable[Residue]) -> dict[str, Left]:
    found: dict[str, Left] = {}
    for residue in reading:
        count, problem = found.get(residue.place, (0, ""))
        both = None if residue.count is None or count is None else count + residue.count
        found[residue.place] = both, problem or residue.problem or ""
    return found


def _worst(seen: list[Left]) -> Left:
    counts = [count for count, _ in seen]
    problem = next((problem for _, problem in seen if problem), "")
    return (None if None in counts else max(count or 0 for count in counts)), problem


def note_problem(lease: Lease, place: str, problem: str) -> None:
    """Add a sentence to what is wrong with a place."""
    with lease.step() as erasure:
        for step in erasure.steps.filter(place=place):
            step.problem = "; ".join(filter(None, [step.problem, problem]))[:PROBLEM]
            step.save(update_fields=["problem"])


def is_clean(erasure: Erasure) -> bool:
    """Whether every place was read again and was empty."""
    return all(step.is_empty for step in erasure.steps.all())
