"""The way to the provider and back in Chromium, under the real Content-Security-Policy."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from memoryportal.accounts.models import SubjectLink, User

from .oidc_provider import OidcProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_somebody_signs_in_and_confirms_it_later(
    script: bool, live_server: Any, provider: OidcProvider, browser: Any
) -> None:
    context = browser.new_context(java_script_enabled=script, base_url=live_server.url)
    page: Page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)

    page.goto("/accounts/login/?next=/settings/")
    page.get_by_role("button", name="Sign in with The Shop").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text("Shown here: what is kept under your id u_alice at The Shop.")).to_be_visible()
    assert SubjectLink.objects.get().account == User.objects.get()

    page.get_by_role("link", name="Disconnect it").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_role("button", name="Go on to The Shop").click()
    page.get_by_role("button", name="Disconnect it now").click()
    expect(page.get_by_text("Your pages no longer show what is kept under that id")).to_be_visible()
    assert not SubjectLink.objects.exists()
    assert [asked.get("max_age") for asked in provider.asked] == [None, "0"]
    assert problems == []
    context.close()
