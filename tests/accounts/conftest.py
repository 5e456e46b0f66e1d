from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from memoryportal.accounts.configuration import Oidc, social_providers

from .oidc_provider import CLIENT, SECRET, OidcProvider, running


@pytest.fixture(scope="session")
def _running_provider() -> Iterator[OidcProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(_running_provider: OidcProvider, settings: Any) -> OidcProvider:
    """The portal is configured for this provider, and the provider behaves."""
    _running_provider.reset()
    settings.OIDC = Oidc(_running_provider.issuer, CLIENT, SECRET, "The Shop", "sub")
    settings.SOCIALACCOUNT_PROVIDERS = social_providers(settings.OIDC)
    return _running_provider


@pytest.fixture
def problems(page: Page) -> list[str]:
    """What the browser complains about, above all what the policy stopped."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
