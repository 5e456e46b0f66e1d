"""The portal's own proofs, on the Platform: isolation as `verify_isolation` shows it, and an erasure to its end."""

import pytest

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure, State
from memoryportal.memory import ScopedMemory
from memoryportal.memory.verification.story import Story

from .helpers import kept, plant
from .server import Platform


def test_isolation_is_proven(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    bob.erase()
    failed = [check for check in Story(alice.subject, bob.subject).checks() if not check.passed]
    assert failed == []


@pytest.fixture
def account(db: None, alice: ScopedMemory) -> User:
    made = User.objects.create_user("carol@example.com", "demo-portal-1")
    link(made, alice.subject, reason="test")
    return made


def later(erasure: Erasure) -> Erasure:
    """The next time that the engine takes it up."""
    Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
    return engine.run(erasure)


def test_erasure_ends_with_every_readable_place_read_empty(
    platform: Platform, account: User, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    plant(platform, alice, 3)
    erasure = engine.run(services.ask(account, alice.subject))
    assert erasure.state == State.WATCHING  # other programs cannot be held back there: it looks again, twice
    erasure = later(later(erasure))
    assert erasure.state == State.COMPLETED
    steps = {step.place: (step.found, step.removed, step.left) for step in erasure.steps.all()}
    assert steps["memories"] == (3, 3, 0)
    assert "entities" not in steps  # not read, and not said to have been
    assert any("Platform" in limit for limit in erasure.receipt["receipt"]["limits"])
    assert (kept(platform, alice), bob.count()) == (set(), 3)


def test_erasure_that_is_not_seen_to_be_done_goes_on_later(
    platform: Platform, account: User, alice: ScopedMemory
) -> None:
    plant(platform, alice, 3)
    platform.state.odd.lying = True
    erasure = engine.run(services.ask(account, alice.subject))
    assert erasure.state == State.RETRYING
    assert alice.count() == 3
    platform.state.odd.lying = False
    assert later(later(later(erasure))).state == State.COMPLETED
    assert kept(platform, alice) == set()
