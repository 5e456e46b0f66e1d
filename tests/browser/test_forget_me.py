"""From "forget me" to the printed receipt: with an account and without one, with a script and without one."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from pytest_django import Settings
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.accounts.models import User
from memoryportal.erasure import decisions
from memoryportal.erasure.models import Erasure, State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import person as an_account

from . import forgetting, journey
from .forgetting import Careful
from .test_journey import BROWSERS

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = ("phone", "desktop-no-script")  # the same pages again, on the way to another end
TOLD = "I am customer 1717 there."


def somebody(kind: str, album: str, new_context: CreateContextCallback) -> Careful:
    return Careful(new_context(**BROWSERS[kind]).new_page(), f"forget-me/{album}-{kind}", axe="no-script" not in kind)


@pytest.fixture
def customer() -> Iterator[ScopedMemory]:
    """What assistants remember about somebody who never had an account here."""
    memory = ScopedMemory.for_person(SubjectId(f"customer-1717-{uuid.uuid4()}"))
    memory.add([{"role": "user", "content": "I am vegetarian."}, {"role": "user", "content": "I live in Hamburg."}])
    yield memory
    memory.erase()


@pytest.mark.parametrize("kind", BROWSERS)
def test_somebody_who_keeps_the_account(
    kind: str, new_context: CreateContextCallback, alice: User, remembered: ScopedMemory, canary: ScopedMemory
) -> None:
    alices = somebody(kind, "kept", new_context)
    journey.signs_in(alices)
    forgetting.erases(alices, "everything")
    erasure = Erasure.objects.get()
    forgetting.sees_it_erased(alices, erasure)
    assert set(remembered.held().values()) == {0}
    content = forgetting.prints_the_receipt(alices, erasure)
    alices.follows("Back to the request")
    forgetting.lets_assistants_begin_again(alices)
    forgetting.checks_the_receipt(alices, erasure, content)
    assert canary.count() == 1


@pytest.mark.parametrize("kind", BOTH)
def test_somebody_who_gives_up_the_account(
    kind: str, new_context: CreateContextCallback, alice: User, remembered: ScopedMemory, canary: ScopedMemory
) -> None:
    alices = somebody(kind, "left", new_context)
    journey.signs_in(alices)
    forgetting.erases(alices, "account")
    erasure = Erasure.objects.get()
    forgetting.sees_it_erased(alices, erasure)
    assert alices.page.url.endswith(f"/requests/{erasure.reference}/")
    assert not User.objects.filter(pk=alice.pk).exists()
    forgetting.worker_works()
    other = somebody(kind, "left-by-mail", new_context)  # the mail is opened on another device
    other.opens(forgetting.link_of_the_last_mail("alice@example.com"))
    forgetting.sees_it_erased(other, erasure)
    assert other.page.url.endswith(f"/requests/{erasure.reference}/")
    forgetting.checks_the_receipt(other, erasure, forgetting.prints_the_receipt(alices, erasure))
    alices.opens("/memories/")
    alices.arrives("Sign in")
    assert canary.count() == 1


@pytest.mark.parametrize("kind", BOTH)
def test_somebody_who_never_had_an_account(
    kind: str, new_context: CreateContextCallback, customer: ScopedMemory, canary: ScopedMemory, settings: Settings
) -> None:
    settings.ERASURE_GRACE_HOURS = 0
    person = somebody(kind, "never", new_context)
    forgetting.asks_without_an_account(person, "nobody@example.com", TOLD)
    forgetting.worker_works()
    forgetting.confirms(person, forgetting.link_of_the_last_mail("nobody@example.com"), TOLD)
    person.arrives("We look for what is yours")
    erasure = Erasure.objects.get()
    assert customer.count() == 2
    officers = [an_account(f"privacy{number}@example.com") for number in (1, 2)]
    decisions.attach(erasure.pk, officers[0], [customer.subject])
    decisions.approve(erasure.pk, officers[1])
    forgetting.worker_works()
    person.follows("Refresh")
    forgetting.sees_it_erased(person, erasure)
    assert customer.count() == 0
    forgetting.checks_the_receipt(person, erasure, forgetting.prints_the_receipt(person, erasure))
    assert canary.count() == 1


@pytest.mark.parametrize("kind", BOTH)
def test_somebody_who_thinks_otherwise(
    kind: str, new_context: CreateContextCallback, alice: User, remembered: ScopedMemory
) -> None:
    """With an account whose password is forgotten: by mail, with days to take it back."""
    before = remembered.count()
    person = somebody(kind, "otherwise", new_context)
    forgetting.asks_without_an_account(person, "alice@example.com", TOLD)
    forgetting.worker_works()
    forgetting.confirms(person, forgetting.link_of_the_last_mail("alice@example.com"), TOLD)
    expect(person.page.get_by_role("heading", level=1)).to_contain_text("Begins on")
    person.looks("it waits")
    person.follows("Take it back…")
    person.arrives("Take the request back?")
    person.presses("Take it back")
    person.arrives("Taken back")
    assert Erasure.objects.get().state == State.CANCELLED
    assert remembered.count() == before
