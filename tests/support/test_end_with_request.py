"""An access that was opened for a deletion request ends with that request, and says why."""

from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.moves import move
from memoryportal.erasure.states import State
from memoryportal.memory import Item
from memoryportal.support import tasks
from memoryportal.support.grants import GrantEnded, check_open
from memoryportal.support.models import AccessGrant
from tests.erasure.making import an_erasure

from .staffing import actions, fragment, last_event, newest, no_text_of, open_access, page_of, said

pytestmark = pytest.mark.django_db
WHY = "the deletion request that it was for has ended"


@pytest.fixture
def request_of_alice(alice: User) -> Erasure:
    return an_erasure(alice.subject, account=alice, state="waiting")


@pytest.fixture
def access(request_of_alice: Erasure, items: list[Item], privacy_client: Client) -> AccessGrant:
    return open_access(privacy_client, ticket=request_of_alice.reference)


def test_at_once(access: AccessGrant, request_of_alice: Erasure, django_capture_on_commit_callbacks: Any) -> None:
    before = newest()
    with django_capture_on_commit_callbacks(execute=True):
        move(request_of_alice, State.CANCELLED)
    access.refresh_from_db()
    assert access.ended_how == "request"
    assert actions(before) == ["grant.ended"]
    assert last_event("grant.ended").details == {"kind": "request", "count": 0}


@pytest.mark.parametrize("state", [State.REFUSED, State.CANCELLED])
def test_at_the_next_use(
    state: State, access: AccessGrant, request_of_alice: Erasure, items: list[Item], privacy_client: Client
) -> None:
    move(request_of_alice, state)  # the test's transaction stays open: nothing has ended the access
    before = newest()
    answer = privacy_client.post(page_of(access, "reveal/"), {"id": items[0].id})
    assert answer.status_code == 410
    assert WHY in said(answer)
    assert no_text_of(items, answer)
    assert actions(before) == ["grant.ended"]
    assert privacy_client.get(page_of(access)).status_code == 410
    assert f"{WHY}" in said(privacy_client.get("/support/grants/"))


def test_a_page_that_is_open_says_so(access: AccessGrant, request_of_alice: Erasure, privacy_client: Client) -> None:
    move(request_of_alice, State.CANCELLED)
    answer = privacy_client.post(page_of(access, "search/"), {"q": "walnuts"}, headers=fragment("memories"))
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (409, "#main")
    assert WHY in said(answer)
    access.refresh_from_db()
    assert access.searches == 0


def test_by_the_worker(access: AccessGrant, request_of_alice: Erasure) -> None:
    move(request_of_alice, State.CANCELLED)
    tasks.end_grants(timestamp=0)
    access.refresh_from_db()
    assert access.ended_how == "request"


def test_when_the_record_of_the_request_is_gone(access: AccessGrant) -> None:
    AccessGrant.objects.update(ticket="no-such-request")
    with pytest.raises(GrantEnded):
        check_open(access)


def test_a_request_that_goes_on_ends_nothing(
    access: AccessGrant, request_of_alice: Erasure, privacy_client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        move(request_of_alice, State.ERASING)
        move(request_of_alice, State.VERIFYING)
    tasks.end_grants(timestamp=0)
    assert privacy_client.get(page_of(access)).status_code == 200


def test_a_support_case_has_its_own_time(
    items: list[Item], request_of_alice: Erasure, support_client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    """Even where somebody wrote the request's reference as the number of the case."""
    access = open_access(support_client, ticket=request_of_alice.reference)
    with django_capture_on_commit_callbacks(execute=True):
        move(request_of_alice, State.CANCELLED)
    assert support_client.get(page_of(access)).status_code == 200
