"""A real Chromium at the live server, and the people who sit in front of it."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.mydata.demo import load_person
from tests.accounts.helpers import signed_in

from .looking import Looking
from .person import CANARY

expect.set_options(timeout=20_000)  # milliseconds: a machine may be busy; nothing waits longer than it has to
NOWHERE = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"  # a store that is down


@pytest.fixture(scope="session")
def base_url(live_server: Any) -> str:
    """Playwright opens paths below it."""
    return str(live_server.url)


def enter(context: BrowserContext, user: User, base_url: str) -> None:
    """Sign somebody in without the form, which has tests of its own."""
    client = signed_in(user)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": base_url}])


@pytest.fixture
def alices_page(page: Page, alice: User, base_url: str) -> Page:
    """Alice is signed in and has opened nothing yet."""
    enter(page.context, alice, base_url)
    return page


@pytest.fixture
def looking(page: Page) -> Looking:
    return Looking(page)


@pytest.fixture
def remembered(alice: User, alice_memory: ScopedMemory) -> ScopedMemory:
    """Alice's memories of the demo: over three assistants, some hostile, some in other scripts."""
    load_person("alice", SubjectId(alice.subject))
    return alice_memory


@pytest.fixture
def canary(bob_memory: ScopedMemory) -> ScopedMemory:
    """Bob's only memory. It fits whatever Alice looks for."""
    bob_memory.add([{"role": "user", "content": CANARY}], infer=False)
    return bob_memory
