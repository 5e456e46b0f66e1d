"""A person at the assistant's page, with a browser's cookies and without its scripts."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Message, ScopedMemory, SubjectId, controls
from memoryportal.memory.stores import current_store

PAGE = "/assistant/"
NAME = "portal_assistant"
REGION = {"HX-Request": "true", "HX-Target": "talk"}


class Talker:
    """One signed-in person. `memory` is their own side of their memories."""

    def __init__(self, name: str) -> None:
        address = f"{name}@example.com"
        self.user = User.objects.create_user(address, "demo-portal-1")
        EmailAddress.objects.create(user=self.user, email=address, verified=True, primary=True)
        self.client = Client(raise_request_exception=False)
        self.client.force_login(self.user)
        self.memory = ScopedMemory.for_person(SubjectId(self.user.subject))

    def says(self, text: str, **more: str) -> Any:
        """The answer to a message, wherever it leads."""
        return self.client.post(PAGE, {"message": text, **more}, follow=True)

    def opens(self) -> Any:
        return self.client.get(PAGE)

    def told(self) -> list[str]:
        """Every memory, oldest first."""
        return [item.text for item in self.memory.walk()]

    def buffered(self) -> list[Message]:
        return self.memory.messages()

    def session(self) -> Any:
        return SessionStore(self.client.cookies["session"].value)

    def stored_session(self) -> str:
        """What stands in the session's row, decoded."""
        row = Session.objects.get(session_key=self.client.cookies["session"].value)
        return str(row.get_decoded())

    def clears_up(self) -> None:
        """The memory tables lie outside Django's transaction."""
        for agent, state in controls.gate_states(current_store(), self.memory.subject):
            controls.reopen(current_store(), self.memory.subject, state, agent)
        self.memory.erase()


@contextmanager
def talker(name: str) -> Iterator[Talker]:
    person = Talker(name)
    yield person
    person.clears_up()


def words(response: Any) -> str:
    """The words of the page's main part as one line, without tags."""
    text = response.content.decode()
    main = text.partition("<main")[2].partition("</main>")[0] or text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def shown(response: Any) -> list[str]:
    """The ids of the memories on a page, in their order."""
    return re.findall(r'data-memory-id="([^"]*)"', response.content.decode())


def typed(response: Any) -> str:
    """What stands in the field."""
    found = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", response.content.decode(), re.S)
    assert found
    return html.unescape(found[1])
