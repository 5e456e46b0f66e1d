import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.support.models import AccessGrant

from .staffing import find, open_access, page_of, said, signed_in, staff_member

pytestmark = pytest.mark.django_db


def test_ones_own_acts_are_listed(grant: AccessGrant, support_client: Client) -> None:
    support_client.get(page_of(grant))
    words = said(support_client.get("/support/acts/"))
    assert "Saw the list, masked" in words
    assert "Was given access for a while" in words
    assert words.index("Saw the list, masked") < words.index("Was given access for a while")


def test_nobody_elses_are(grant: AccessGrant, bob: User) -> None:
    other = signed_in(staff_member("second", "support"))
    open_access(other, "bob@example.com", ticket="T-0815")
    words = said(other.get("/support/acts/"))
    assert "T-0815" in words
    assert "T-4711" not in words


@pytest.mark.parametrize("query", ["?actor=1", "?before=999999999999", "?before=x", "?before=٣"])
def test_the_address_chooses_nobody_else(query: str, grant: AccessGrant) -> None:
    words = said(signed_in(staff_member("second", "support")).get(f"/support/acts/{query}"))
    assert "T-4711" not in words
    assert grant.reason not in words


def test_long_lists_have_pages(alice: User, support_client: Client) -> None:
    for _ in range(30):
        find(support_client, "alice@example.com")
    for _ in range(25):
        find(support_client, "nobody")  # the quota is used up: refusals are acts as well
    first = support_client.get("/support/acts/").content.decode()
    rest = support_client.get("/support/acts/" + first.split('href="/support/acts/')[-1].split('"')[0])
    assert first.count("<li>\n    <p><strong>") == 50
    assert "Looked a person up" in said(rest)
    assert "Signed in" in said(rest)


def test_it_takes_no_forms(support_client: Client) -> None:
    assert support_client.post("/support/acts/").status_code == 405


def test_people_and_auditors_have_none_here(alice_client: Client, auditor_client: Client) -> None:
    assert alice_client.get("/support/acts/").status_code == 404
    assert auditor_client.get("/support/acts/").status_code == 404
