import logging

import pytest
from django.test import Client

from memoryportal.accounts.models import User

from .helpers import sign_in

pytestmark = pytest.mark.django_db
LOGGER = "memoryportal.accounts.signals"


def test_a_sign_in_is_recorded_without_the_address(
    alice: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        sign_in(client, "alice@example.com")
    assert f"signed in: account {alice.pk} from 127.0.0.1" in caplog.messages
    assert "alice@" not in caplog.text
    assert alice.subject not in caplog.text


def test_a_refused_sign_in_is_recorded_without_what_was_typed(
    alice: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        sign_in(client, "my-password@example.com", "another-password")
    assert [record.levelname for record in caplog.records if record.name == LOGGER] == ["WARNING"]
    assert "password@" not in caplog.text
    assert "another-password" not in caplog.text
