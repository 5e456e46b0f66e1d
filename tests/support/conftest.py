"""The staff with their roles and second factors, and a person with memories that would be worth reading."""

from collections.abc import Iterator

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import remember

from .staffing import open_access, signed_in, staff_member

TEXTS = (
    "Grows quillwort behind the greenhouse.",
    "Is allergic to walnuts, hazelnuts and pistachios, and carries an injector since the summer of the accident.",
    "Speaks Portuguese with the neighbours.",
)


@pytest.fixture
def support(db: None) -> User:
    return staff_member("support", "support")


@pytest.fixture
def privacy(db: None) -> User:
    return staff_member("privacy", "privacy")


@pytest.fixture
def auditor(db: None) -> User:
    return staff_member("auditor", "auditor")


@pytest.fixture
def support_client(support: User) -> Client:
    return signed_in(support)


@pytest.fixture
def privacy_client(privacy: User) -> Client:
    return signed_in(privacy)


@pytest.fixture
def auditor_client(auditor: User) -> Client:
    return signed_in(auditor)


@pytest.fixture
def items(alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> Iterator[list[Item]]:
    """Alice's memories, oldest first. Bob has some too, so that a leak would have something to leak."""
    remember(bob_memory, "Bob keeps bumblebees.")
    return remember(alice_memory, *TEXTS, agent="shop_bot")


@pytest.fixture
def grant(support_client: Client, items: list[Item]) -> AccessGrant:
    """Support's open access to Alice."""
    return open_access(support_client)


@pytest.fixture
def colleague(db: None) -> User:
    """A second one of privacy."""
    return staff_member("privacy2", "privacy")
