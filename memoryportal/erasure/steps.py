"""One row for each place of a request: what was found, what went, what a second look found."""

from collections.abc import Collection, Iterable, Mapping

from django.db.models import F
from django.utils import timezone

from memoryportal.memory import Residue
from memoryportal.memory.places import PLACES

from .lease import Lease
from .models import Erasure, ErasureStep

PROBLEM = 200  # characters


def prepare_steps(erasure: Erasure, places: Iterable[str]) -> None:
    """A row for every place, in the order in which people read them."""
    order = {key: number for number, key in enumerate(PLACES)}
    ErasureStep.objects.bulk_create(
        [ErasureStep(erasure=erasure, place=key, order=order[key]) for key in dict.fromkeys(places)],
        ignore_conflicts=True,
    )


def note_found(lease: Lease, found: Mapping[str, int], uncounted: Collection[str] = ()) -> None:
    """What is there now. Behind the gate nothing is added, so what went before is what a former attempt removed.

    Nothing is said of a place in `uncounted` unless a part of it was counted.
    """
    with lease.step() as erasure:
        for step in erasure.steps.exclude(place__in=set(uncounted) - set(found)):
            step.found = max(step.found or 0, step.removed + found.get(step.place, 0))
            step.save(update_fields=["found"])


def note_removed(erasure: Erasure, removed: Mapping[str, int]) -> None:
    """What went, as part of the step in which it did."""
    for place, count in removed.items():
        erasure.steps.filter(place=place).update(removed=F("removed") + count)


def settle_removed(lease: Lease) -> None:
    """An attempt that was cut off between a deletion and its note has removed what is found no more."""
    with lease.step() as erasure:
        for step in erasure.steps.exclude(left=None).exclude(found=None):
            step.removed = max(step.removed, (step.found or 0) - (step.left or 0))
            step.found = max(step.found or 0, step.removed + (step.left or 0))
            step.save(update_fields=["found", "removed"])


def note_read(lease: Lease, readings: Iterable[Iterable[Residue]]) -> None:
    """The worst of what several readings found; several subjects' rows of one place are added up."""
    found = [_added_up(reading) for reading in readings]
    worst = {place: _worst([reading[place] for reading in found if place in reading]) for place in set().union(*found)}
    now = timezone.now()
    with lease.step() as erasure:
        for place, (left, problem) in worst.items():
            erasure.steps.filter(place=place).update(left=left, problem=problem[:PROBLEM], verified_at=now)


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
