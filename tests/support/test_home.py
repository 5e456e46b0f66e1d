from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.support.models import AccessGrant

from .requests import a_request
from .staffing import page_of, said, signed_in, staff_member

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("support", "Find a person by their exact e-mail address", "deletion request by its reference"),
        ("privacy", "Find the person of a deletion request by its reference", "write a deletion request down"),
        ("auditor", "Read the whole audit trail", "Find a person"),
    ],
)
def test_it_says_what_the_role_may_do(role: str, may: str, may_not: str) -> None:
    user = staff_member("somebody", role)
    words = said(signed_in(user).get("/support/"))
    assert may in words
    assert may_not not in words
    assert f"signed in as {role} ." in words
    assert f"staff member {pseudonym_of_staff(user.pk)} ." in words


def test_after_signing_in_there_is_a_way_to_it(support_client: Client) -> None:
    """Whoever signs in lands on the list of their own memories, which is empty for most of the staff."""
    assert "Go to the staff’s pages" in said(support_client.get("/memories/"))


@pytest.mark.parametrize("role", ["privacy", "auditor"])
def test_it_counts_the_requests_that_wait(role: str) -> None:
    client = signed_in(staff_member("somebody", role))
    assert "0 late 0 due within a week 0 wait for a second person" in said(client.get("/support/"))
    now = timezone.now()
    for days, state in ((60, "waiting"), (28, "approval"), (0, "approval"), (90, "completed")):
        a_request(f"u-{days}", state=state, asked_at=now - timedelta(days=days))
    assert "1 late 1 due within a week 2 wait for a second person" in said(client.get("/support/"))


def test_support_reads_no_counts(support_client: Client) -> None:
    assert "due within a week" not in said(support_client.get("/support/"))
    assert 'href="/support/requests/"' in support_client.get("/support/").content.decode()


def test_somebody_with_two_roles_reads_both() -> None:
    words = said(signed_in(staff_member("both", "support", "privacy")).get("/support/"))
    assert "As support" in words
    assert "As privacy" in words


def test_it_leads_back_to_the_open_access(grant: AccessGrant, support_client: Client) -> None:
    assert page_of(grant) in support_client.get("/support/").content.decode()
    support_client.post(page_of(grant, "end/"))
    assert page_of(grant) not in support_client.get("/support/").content.decode()


def test_people_do_not_find_it(alice_client: Client) -> None:
    assert alice_client.get("/support/").status_code == 404
    assert "/support/" not in alice_client.get("/memories/").content.decode()


def test_nobody_is_sent_to_the_login(client: Client) -> None:
    assert client.get("/support/").headers["Location"] == "/accounts/login/?next=%2Fsupport%2F"


def test_it_takes_no_forms(support_client: Client) -> None:
    assert support_client.post("/support/").status_code == 405


def test_the_staff_find_it_from_every_page_of_theirs(support_client: Client) -> None:
    for page in ("/memories/", "/settings/", "/support/people/"):
        assert 'href="/support/"' in support_client.get(page).content.decode(), page


def test_the_way_there_goes_with_the_role(support: User, support_client: Client) -> None:
    support.groups.clear()
    assert support_client.get("/support/").status_code == 404
    assert 'href="/support/"' not in support_client.get("/memories/").content.decode()
