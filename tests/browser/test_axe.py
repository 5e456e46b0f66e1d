"""No violation of WCAG 2.2 AA on any page, in either theme. Pages come from the resolver, so that none is forgotten.

What those pages look like in other states (errors, nothing there, nobody connected) is in test_axe_states.py.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.test import Client
from playwright.sync_api import Page

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User
from memoryportal.erasure import services
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import add_totp, code_now
from tests.accounts.test_passkeys_in_browser import AUTHENTICATOR
from tests.test_access import ROUTES, path_of

from .journey import one
from .looking import Looking, is_page

pytestmark = pytest.mark.django_db(transaction=True)


def looks_at_all(looking: Looking, paths: Iterable[str]) -> None:
    """All of these that answer with a page."""
    for path in paths:
        if is_page(looking.page.context.request.get(path, max_redirects=0)):
            looking.page.goto(path)
            looking.at(path)


def paths_of_routes(ids: dict[str, Any], below: str = "") -> list[str]:
    return [path_of(route, ids) for route in ROUTES if route.startswith(below)]


def test_pages_for_everybody(looking: Looking) -> None:
    looks_at_all(looking, paths_of_routes({}))
    assert {"/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"} <= looking.seen
    assert looking.problems == []


def test_pages_of_a_person(looking: Looking, alices_page: Page, remembered: ScopedMemory, alice: User) -> None:
    item = one(remembered, "Wants to stay four nights")
    ids = {
        "memory_id": item.id,
        "seq": remembered.history(item.id)[0].seq,
        "erasure_id": services.ask(alice, SubjectId("somebody-else")).pk,
        "form": "json",
    }
    alices_page.goto("/accounts/reauthenticate/")
    proves(alices_page, "Password", PASSWORD)
    alices_page.wait_for_url("**/memories/")
    for_everybody = {path for path in paths_of_routes(ids) if Client().get(path).status_code in (200, 401)}
    looks_at_all(looking, [path for path in paths_of_routes(ids) if path not in for_everybody])
    assert {"/memories/", "/held/", "/export/", "/erasure/", "/settings/"} <= looking.seen
    about_one = {f"/memories/{item.id}/{act}" for act in ("", "edit/", "delete/", f"versions/{ids['seq']}/delete/")}
    assert about_one <= looking.seen
    assert looking.problems == []


def test_pages_of_second_factors(looking: Looking, page: Page, alice: User) -> None:
    """Those that exist only for somebody who has an authenticator app, recovery codes and a passkey."""
    secret, codes = add_totp(alice), RecoveryCodes.activate(alice).generate_codes()
    page.goto("/accounts/login/?next=/accounts/2fa/webauthn/add/")
    page.get_by_label("E-mail address").fill(alice.email)
    proves(page, "Password", PASSWORD)
    looking.at("the second factor")
    proves(page, "Code", codes[0])
    proves(page, "Code", code_now(secret))
    add_passkey(page)
    (passkey,) = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
    looks_at_all(looking, paths_of_routes({"pk": passkey.pk}, below="accounts/2fa/"))
    factors = {"recovery-codes/", "totp/deactivate/", "webauthn/", f"webauthn/keys/{passkey.pk}/remove/"}
    assert {f"/accounts/2fa/{factor}" for factor in factors} <= looking.seen
    assert looking.problems == []


def proves(page: Page, label: str, proof: str) -> None:
    page.get_by_label(label, exact=True).fill(proof)
    page.get_by_label(label, exact=True).press("Enter")


def add_passkey(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Add the passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
