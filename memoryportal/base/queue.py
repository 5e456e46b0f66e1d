"""Ring the worker's bell. The queue's row is never the truth: whoever is rung looks at our own rows again.

Arguments are ids and words, never text of a memory, an address or search words: they lie in a table until they are
done.
"""

import re
from typing import Any

from django.db import transaction
from procrastinate import exceptions, tasks

_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)


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
