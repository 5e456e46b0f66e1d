"""Every mail that allauth sends says who is responsible, and nothing that is nobody's business."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail import EmailMessage
from django.template.loader import get_template
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User

from .helpers import add_totp, links_in, prove, show_factor, sign_in

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-portal-2"
BROWSER = {"User-Agent": "Mozilla/5.0 visit http://evil.example/ now"}


def the_mail(to: str, subject: str) -> EmailMessage:
    found = [message for message in mail.outbox if message.to == [to] and subject in message.subject]
    assert len(found) == 1, [(message.to, message.subject) for message in mail.outbox]
    return found[0]


def check(message: EmailMessage, settings: Settings) -> str:
    body = str(message.body)
    assert message.subject.startswith("[MemoryPortal] ")
    assert message.from_email == settings.DEFAULT_FROM_EMAIL
    assert settings.CONTROLLER_NAME in body
    assert settings.PRIVACY_CONTACT in body
    assert settings.COMPLAINT_URL in body
    assert "evil.example" not in body
    assert "{{" not in body
    assert "&#x27;" not in body
    assert "&amp;" not in body
    assert message.alternatives == []  # type: ignore[attr-defined]
    for password in (PASSWORD, NEW_PASSWORD):
        assert password not in body
    return body


def test_confirmation_of_an_address(client: Client, settings: Settings) -> None:
    client.post(
        "/accounts/signup/",
        {"email": "carol@example.com", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
        headers=BROWSER,
    )
    body = check(the_mail("carol@example.com", "confirm"), settings)
    assert links_in(body)[0].startswith("/accounts/confirm-email/")


def test_an_account_exists_already(alice: User, client: Client, settings: Settings) -> None:
    client.post(
        "/accounts/signup/", {"email": "alice@example.com", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    )
    body = check(the_mail("alice@example.com", "You have an account"), settings)
    assert "/accounts/password/reset/" in links_in(body)


def test_there_is_no_account(client: Client, settings: Settings) -> None:
    client.post("/accounts/password/reset/", {"email": "nobody@example.com"}, headers=BROWSER)
    body = check(the_mail("nobody@example.com", "no account"), settings)
    assert [link for link in links_in(body) if link.startswith("/accounts/")] == []


def test_a_new_password_is_asked_for_and_chosen(alice: User, client: Client, settings: Settings) -> None:
    client.post("/accounts/password/reset/", {"email": "alice@example.com"}, headers=BROWSER)
    body = check(the_mail("alice@example.com", "Choose a new password"), settings)
    page = client.get(links_in(body)[0]).headers["Location"]
    client.post(page, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, headers=BROWSER)
    body = check(the_mail("alice@example.com", "password was changed"), settings)
    assert "127.0.0.1" in body
    assert alice.subject not in body


def test_a_password_is_changed(alice: User, client: Client, settings: Settings) -> None:
    sign_in(client, "alice@example.com")
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post("/accounts/password/change/", form, headers=BROWSER)
    check(the_mail("alice@example.com", "password was changed"), settings)


def test_an_address_is_changed_and_both_hear_of_it(alice: User, client: Client, settings: Settings) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""}, headers=BROWSER)
    body = check(the_mail("new@example.com", "confirm"), settings)
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"
    client.post(links_in(body)[0])
    assert User.objects.get(pk=alice.pk).email == "new@example.com"
    assert EmailAddress.objects.get(user=alice).email == "new@example.com"
    body = check(the_mail("alice@example.com", "was changed"), settings)
    assert "new@example.com" in body


def test_a_factor_is_removed(
    alice: User, settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    secret = add_totp(alice)
    client = Client()
    client.force_login(alice)
    show_factor(client, secret)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/2fa/totp/deactivate/", headers=BROWSER)
    check(the_mail("alice@example.com", "authenticator app was removed"), settings)


@pytest.mark.parametrize(
    "name",
    [
        "account/email/email_confirm",
        "account/email/email_deleted",
        "account/email/password_set",
        "mfa/email/recovery_codes_generated",
        "mfa/email/totp_activated",
        "mfa/email/webauthn_added",
        "mfa/email/webauthn_removed",
    ],
)
def test_every_other_mail_is_ours_too(name: str, settings: Settings) -> None:
    context = {"controller_name": "Who & Co", "privacy_contact": "p@example.com", "ip": "192.0.2.1"}
    body = get_template(f"{name}_message.txt").render(context)
    assert "Who & Co is responsible" in body
    assert "If this was you, there is nothing to do." in body
    assert get_template(f"{name}_subject.txt").origin.name.startswith(str(settings.BASE_DIR / "templates"))
