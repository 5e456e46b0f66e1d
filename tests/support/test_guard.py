"""The door of the staff's pages: no view without it, no role without a second factor."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import ROLES
from memoryportal.support.guard import staff, staff_path
from tests.accounts.helpers import add_totp, code_now, prove, sign_in

from .staffing import actions, last_event, newest, said, signed_in, staff_member

pytestmark = pytest.mark.django_db


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route, entry
        else:
            yield from patterns(entry, route)


STAFF_PAGES = {route: entry for route, entry in patterns(get_resolver()) if route.startswith("support/")}


def unguarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


@pytest.mark.parametrize("route", STAFF_PAGES)
def test_every_staff_page_has_its_guard(route: str) -> None:
    roles = STAFF_PAGES[route].callback.staff_roles
    assert roles
    assert set(roles) <= set(ROLES)


def test_there_are_staff_pages() -> None:
    assert {"support/", "support/people/", "support/grants/<uuid:grant_id>/reveal/"} <= set(STAFF_PAGES)


def test_a_page_without_a_guard_cannot_be_added() -> None:
    with pytest.raises(ImproperlyConfigured, match="has no guard"):
        staff_path("leak/", unguarded, name="leak")
    with pytest.raises(ImproperlyConfigured):
        staff_path("leak/", staff()(unguarded), name="leak")  # a guard that lets nobody in is a mistake
    assert staff_path("fine/", staff("support")(unguarded), name="fine").name == "fine"


def test_a_role_alone_is_not_enough(alice: User) -> None:
    client = signed_in(staff_member("weak", "support", factor=False))
    for path in ("/support/", "/support/people/", "/support/grants/"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "First add a second factor" in said(answer)
        assert 'href="/accounts/2fa/"' in answer.content.decode()


def test_nothing_is_done_without_the_second_factor(alice: User) -> None:
    client, before = signed_in(staff_member("weak", "support", factor=False)), newest()
    assert client.post("/support/people/", {"words": "alice@example.com"}).status_code == 403
    assert actions(before) == []


def test_a_session_from_before_the_second_factor_stays_out(alice: User) -> None:
    user = staff_member("weak", "support", factor=False)
    client = signed_in(user)
    add_totp(user)
    before = newest()
    for answer in (client.get("/support/people/"), client.post("/support/people/", {"words": "alice@example.com"})):
        assert answer.status_code == 403
        assert "First show your second factor" in said(answer)
    assert actions(before) == []
    assert signed_in(user).get("/support/people/").status_code == 200


def test_showing_the_second_factor_opens_the_page_that_was_asked_for() -> None:
    user = staff_member("weak", "support", factor=False)
    client = signed_in(user)
    secret = add_totp(user)
    page = client.get("/support/people/").content.decode()
    way = "/accounts/2fa/reauthenticate/?next=%2Fsupport%2Fpeople%2F"
    assert f'href="{way}"' in page
    assert prove(client).status_code == 302  # the password alone is not what was asked for
    assert client.get("/support/people/").status_code == 403
    answer = client.post(way, {"code": code_now(secret)})
    assert answer.headers["Location"] == "/support/people/"
    assert client.get("/support/people/").status_code == 200


def test_a_sign_in_with_code_or_recovery_code_opens_the_pages() -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    user = staff_member("strong", "support", factor=False)
    secret, recovery = add_totp(user), RecoveryCodes.activate(user).generate_codes()[0]
    for code in (code_now(secret), recovery):
        client = Client()
        sign_in(client, "strong@example.com")
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert client.get("/support/").status_code == 200


def test_a_factor_that_was_removed_or_replaced_counts_no_more() -> None:
    user = staff_member("strong", "support")
    client = signed_in(user)
    assert client.get("/support/").status_code == 200
    user.authenticator_set.all().delete()
    assert client.get("/support/").status_code == 403
    add_totp(user)
    assert "First show your second factor" in said(client.get("/support/"))


def test_recovery_codes_alone_are_no_second_factor() -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    user = staff_member("weak", "support", factor=False)
    RecoveryCodes.activate(user)
    assert signed_in(user).get("/support/").status_code == 403


def test_the_demo_asks_for_none(settings: Any) -> None:
    client = signed_in(staff_member("weak", "support", factor=False))
    settings.DEMO = True
    assert client.get("/support/").status_code == 200


def test_a_superuser_is_no_member_of_the_staff() -> None:
    admin = staff_member("admin")
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    assert signed_in(admin).get("/support/").status_code == 404


def test_a_group_that_is_no_role_opens_nothing() -> None:
    from django.contrib.auth.models import Group

    user = staff_member("editor")
    user.groups.add(Group.objects.create(name="Support"))
    assert signed_in(user).get("/support/").status_code == 404


def test_staff_who_lack_the_role_leave_an_event(auditor: User, auditor_client: Client) -> None:
    before = newest()
    assert auditor_client.get("/support/people/").status_code == 404
    assert actions(before) == ["access.denied"]
    event = last_event("access.denied")
    assert (event.actor, event.role, event.details) == (str(auditor.pk), "auditor", {"page": "support:people"})


def test_people_leave_none(alice_client: Client) -> None:
    before = newest()
    assert alice_client.get("/support/people/").status_code == 404
    assert actions(before) == []


def test_the_404_is_that_of_a_page_that_does_not_exist(alice_client: Client) -> None:
    theirs, nothing = (said(alice_client.get(path)) for path in ("/support/people/", "/support/nonsense/"))
    assert theirs == nothing


def test_htmx_is_sent_to_the_login_as_a_whole_page(client: Client) -> None:
    answer = client.post("/support/people/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/accounts/login/")
