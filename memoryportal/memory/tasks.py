"""What the worker does for the memory room: the end of old entries of the use log."""

from procrastinate.contrib.django import app

from .stores import current_store
from .uses import prune


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="memory.prune_uses", pass_context=False)
def prune_uses(timestamp: int) -> None:
    """End what is older than USE_LOG_DAYS. Trouble is met again at the next run."""
    prune(current_store())
