from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links, subjects
from memoryportal.accounts.models import User
from memoryportal.memory import SubjectId

from .helpers import HTMX, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.urls")]
HERE = "http://testserver"


def test_memory_is_bound_to_the_signed_in_person(alice: User, alice_client: Client) -> None:
    assert alice_client.get("/test/whose/").content.decode() == alice.subject


def test_memory_follows_the_choice_of_the_session(alice: User, alice_client: Client) -> None:
    links.link(alice, SubjectId("customer-1"), reason="they asked")
    assert alice_client.get("/test/whose/").content == b"customer-1"
    alice_client.post("/settings/subject/", {"choice": subjects.ISSUED})
    assert alice_client.get("/test/whose/").content.decode() == alice.subject


@pytest.mark.parametrize(
    "forged", [{"QUERY_STRING": "subject={}"}, {"HTTP_X_SUBJECT": "{}"}, {"HTTP_COOKIE": "subject={}"}]
)
def test_no_part_of_a_request_names_the_subject(
    forged: dict[str, str], alice: User, bob: User, alice_client: Client
) -> None:
    extra = {name: value.format(bob.subject) for name, value in forged.items()}
    if "HTTP_COOKIE" in extra:
        alice_client.cookies["subject_choice"] = bob.subject
        extra = {}
    assert alice_client.get("/test/whose/", **extra).content.decode() == alice.subject


def test_memory_of_nobody_leads_to_the_sign_in(client: Client) -> None:
    answer = client.get("/test/whose/?page=2")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/login/?next=%2Ftest%2Fwhose%2F%3Fpage%3D2"
    assert client.post("/test/whose/").headers["Location"] == "/accounts/login/"


def test_nothing_is_looked_up_before_it_is_asked_for(
    alice_client: Client, client: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        alice_client.get("/test/untouched/")
        Client().get("/test/untouched/")


def test_a_signed_in_page_costs_two_queries(alice_client: Client, django_assert_num_queries: Any) -> None:
    alice_client.get("/test/whose/")  # the first request of a session notes that it is used
    with django_assert_num_queries(2):  # session, person with links
        alice_client.get("/test/whose/")


def test_times_are_in_the_persons_zone_for_this_request_only(alice: User, alice_client: Client, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    assert alice_client.get("/test/now/").content == b"Asia/Tokyo"
    other = Client()
    other.force_login(bob)
    assert other.get("/test/now/").content == b"UTC"


def test_a_zone_that_this_machine_does_not_know_locks_nobody_out(alice: User, client: Client) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Europe/Atlantis")
    sign_in(client, "alice@example.com")
    assert client.get("/test/now/").content == b"UTC"


# --- an expired session must not put the sign-in form inside a list ---


def test_htmx_of_an_expired_session_is_sent_to_the_sign_in(client: Client) -> None:
    answer = client.post("/test/private/", headers={**HTMX, "HX-Current-URL": f"{HERE}/memories/?agent=doctor#top"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=%2Fmemories%2F"
    assert answer.content == b""


def test_htmx_without_a_person_behind_request_memory_is_sent_there_too(client: Client) -> None:
    answer = client.get("/test/whose/", headers={**HTMX, "HX-Current-URL": f"{HERE}/memories/"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/accounts/login/?next=%2Fmemories%2F")


@pytest.mark.parametrize(
    "page",
    [
        "",
        "http://evil.example/memories/",
        "https://testserver/memories/",
        "http://testserver.evil.example/",
        "http://testserver@evil.example/",
        f"{HERE}//evil.example/",
        f"{HERE}/\\evil.example/",
        "//testserver/memories/",
        "javascript:alert(1)",
        "/memories/",
    ],
)
def test_only_a_page_of_this_host_is_remembered(page: str, client: Client) -> None:
    answer = client.get("/test/private/", headers={**HTMX, "HX-Current-URL": page})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/accounts/login/")


def test_other_redirects_of_htmx_stay_as_they_are(alice_client: Client) -> None:
    answer = alice_client.post("/settings/", {"time_zone": "Asia/Tokyo"}, headers=HTMX)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/settings/")


def test_a_plain_request_of_an_expired_session_is_redirected(client: Client) -> None:
    answer = client.get("/test/private/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=/test/private/")


def test_a_form_of_an_expired_session_leads_back_to_its_page(client: Client) -> None:
    """Not to the form's own address, which answers no GET."""
    answer = client.post("/settings/subject/", headers={"Referer": f"{HERE}/settings/?x=secret"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=%2Fsettings%2F")
    answer = client.post("/settings/subject/", headers={"Referer": "http://evil.example/settings/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=/settings/subject/")


def test_giving_up_on_a_sign_in_leads_to_a_fresh_one(client: Client) -> None:
    answer = client.post(
        "/accounts/logout/", {"next": "/accounts/login/"}, headers={"Referer": f"{HERE}/accounts/2fa/authenticate/"}
    )
    assert answer.headers["Location"] == "/accounts/login/"


@pytest.mark.parametrize("method", ["get", "put", "options"])
def test_a_refused_method_leaves_nobodys_time_zone_to_the_next_person(method: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    client = Client()
    client.force_login(alice)
    assert getattr(client, method)("/settings/subject/").status_code == 405
    assert timezone.get_current_timezone_name() == "UTC"
