"""Ask for an erasure without an account, with a worker that is played by calling what it would run."""

import re
from typing import Any

from django.core import mail
from django.test import Client

from memoryportal.erasure import identity, tasks
from memoryportal.erasure.models import Erasure
from tests.accounts.helpers import links_in

FORM = "/requests/"
SENT = "/requests/sent/"
CONFIRM = "/requests/confirm/"
WITHDRAW = "/requests/confirm/no/"


def asks(client: Client, address: str, network: str = "192.0.2.1", **fields: str) -> Any:
    """Send the form."""
    data = {"address": address, "scope": "everything", **fields}
    return client.post(FORM, data, REMOTE_ADDR=network)


def newest() -> Erasure:
    return Erasure.objects.latest("asked_at")


def works(erasure: Erasure | None = None) -> None:
    """The worker takes up the bell of the newest request, or of this one."""
    tasks.send_link(erasure_id=str((erasure or newest()).pk))


def path_in(letter: mail.EmailMessage) -> str:
    """The path of the only link of ours in a mail."""
    (path,) = [path for path in links_in(letter.body) if path.startswith("/requests/")]
    return path


def link_for(client: Client, address: str, **fields: str) -> str:
    """The path of the link that somebody is sent who has just asked."""
    asks(client, address, **fields)
    works()
    return path_in(mail.outbox[-1])


def opens(client: Client, path: str) -> Any:
    """Open a link of a mail in this browser, up to the page."""
    return client.get(path, follow=True)


def confirmed(client: Client, address: str, **fields: str) -> Erasure:
    """A request that somebody asked for and confirmed in this browser, which holds its secret."""
    opens(client, link_for(client, address, **fields))
    reference = re.fullmatch(r"/requests/(MP-.*)/", client.post(CONFIRM).headers["Location"])
    assert reference
    return Erasure.objects.get(reference=reference[1])


def holds(client: Client, erasure: Erasure) -> str:
    """Let this browser hold the request's secret, by the link of the last mail; the path of the page."""
    response = client.get(f"/requests/s/{identity.new_secret(erasure)}/")
    return str(response.headers["Location"])
