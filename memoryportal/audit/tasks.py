"""The schedule of the trail: a signed head every ten minutes, where there is something new to sign."""

import logging

from procrastinate.contrib.django import app

from .heads import last_head, ship_again, sign_head
from .models import Head

logger = logging.getLogger(__name__)


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="audit.sign", pass_context=False)
def sign(timestamp: int) -> None:
    """Sign the newest event. Trouble is logged and met again at the next run.

    After a restore the newest event has a lower number than the last one that was signed, and is signed all the same.
    """
    newest = Head.objects.filter(pk=1).first()
    last = last_head()
    if newest is not None and (last is None or (last.seq, last.hash) != (newest.seq, newest.hash)):
        sign_head()
    else:
        ship_again()
