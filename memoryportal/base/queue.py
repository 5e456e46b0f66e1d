"""Ring the worker's bell. The queue's row is never the truth: whoever is rung looks at our own rows again.

Arguments are ids and words, never text of a memory, an address or search words: they lie in a table until they are
done.
"""

import re
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from procrastinate import RetryStrategy, exceptions, jobs, tasks
from procrastinate.retry import RetryDecision

_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)
LONGEST_WAIT = timedelta(hours=1)


class Patience(RetryStrategy):
    """Waits longer after each attempt, and an hour at most: by itself an exponent gets to weeks."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision | None:
        decision = super().get_retry_decision(exception=exception, job=job)
        if decision is not None and decision.retry_at is not None:
            decision.retry_at = min(decision.retry_at, timezone.now() + LONGEST_WAIT)
        return decision


def ring(task: tasks.Task[Any, Any, Any], *, once: str | None = None, **arguments: str | int) -> bool:
    """Put a job into the queue as part of the current transaction; False when one with the name `once` waits already.

    Raises ValueError for an argument that could be a sentence.
    """
    for name, value in arguments.items():
        if not isinstance(value, int) and not _WORD.fullmatch(value):
            raise ValueError(f"the argument {name!r} of a job must be an id or a word")
    try:
        with transaction.atomic():  # AlreadyEnqueued would abort the caller's transaction
            task.configure(queueing_lock=once).defer(**arguments)
    except exceptions.AlreadyEnqueued:
        return False
    return True
