"""One row for each place of a request: what was found, what went, what a second look found."""

from collections.abc import Iterable, Mapping

from django.db.models import F
from django.utils import timezone

from memoryportal.memory import Residue
from memoryportal.memory.places import PLACES, Whose, kept_elsewhere, store_places

from .lease import Lease
from .models import Erasure, ErasureStep


def prepare_steps(erasure: Erasure, whose: Whose) -> None:
    """A row for every place that this request concerns, in the order in which people read them."""
    keys = store_places() + [place.key for place, _ in kept_elsewhere(whose)]
    if erasure.keep_never:
        keys.remove("never") if "never" in keys else None
    order = {key: number for number, key in enumerate(PLACES)}
    ErasureStep.objects.bulk_create(
        [ErasureStep(erasure=erasure, place=key, order=order[key]) for key in keys], ignore_conflicts=True
    )


def note_found(lease: Lease, found: Mapping[str, int]) -> None:
    """What is there now. Behind the gate nothing is added, so what went before is what a former attempt removed."""
    with lease.step() as erasure:
        for step in erasure.steps.all():
            step.found = max(step.found or 0, step.removed + found.get(step.place, 0))
            step.save(update_fields=["found"])


def note_removed(lease: Lease, removed: Mapping[str, int]) -> None:
    with lease.step() as erasure:
        for place, count in removed.items():
            erasure.steps.filter(place=place).update(removed=F("removed") + count)


def settle_removed(lease: Lease) -> None:
    """An attempt that was cut off between a deletion and its note has removed what is found no more."""
    with lease.step() as erasure:
        for step in erasure.steps.exclude(left=None).exclude(found=None):
            step.removed = max(step.removed, (step.found or 0) - (step.left or 0))
            step.found = max(step.found or 0, step.removed)
            step.save(update_fields=["found", "removed"])


def note_read(lease: Lease, residue: Iterable[Residue]) -> None:
    """What a reading found; several subjects' rows of one place are added up."""
    now = timezone.now()
    counts: dict[str, int | None] = {}
    problems: dict[str, str] = {}
    for found in residue:
        before = counts.get(found.place, 0)
        counts[found.place] = None if found.count is None or before is None else before + found.count
        problems[found.place] = problems.get(found.place) or found.problem or ""
    with lease.step() as erasure:
        for place, left in counts.items():
            erasure.steps.filter(place=place).update(left=left, problem=problems[place][:200], verified_at=now)


def note_problem(lease: Lease, place: str, problem: str) -> None:
    with lease.step() as erasure:
        erasure.steps.filter(place=place).update(problem=problem[:200])
