"""allauth's forms in plain words: one label each, no placeholder that repeats it, one line about passwords."""

from typing import Any

from allauth.account import forms as account
from allauth.mfa.base import forms as factors
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as passkeys
from allauth.socialaccount import forms as social
from django import forms
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from . import mailboxes

LABELS = {
    "login": "E-mail address",
    "email": "E-mail address",
    "oldpassword": "Present password",
    "password2": "The same password again",
    "code": "Code",
    "passwordless": "It may replace my password",
}

SAME_CASE = {"New Password": "New password"}
HELP = {
    "password1": "At least 10 characters. A few words that only you would put together are best.",
    "oldpassword": "",
    "passwordless": "Then this passkey alone signs you in. Your device has to ask for a finger, your face or a PIN.",
}


class PlainWords:
    """Mix-in before a form of allauth."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = LABELS.get(name, SAME_CASE.get(str(field.label), field.label))
            field.help_text = HELP.get(name, field.help_text)


class Login(PlainWords, account.LoginForm): ...


class Signup(PlainWords, account.SignupForm):
    """`time_zone` is what the browser says (js/app.js), so that a new account does not begin with foreign times."""

    time_zone = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-browser-zone": ""}))

    def try_save(self, request: HttpRequest) -> Any:
        """Hash the password of a taken address as well: the clock would tell otherwise that it is taken."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)

    def validate_unique_email(self, value: str) -> Any:
        mailboxes.free(value)
        return super().validate_unique_email(value)


class SocialSignup(PlainWords, social.SignupForm):
    def validate_unique_email(self, value: str) -> Any:
        mailboxes.free(value)
        return super().validate_unique_email(value)


class AddEmail(PlainWords, account.AddEmailForm): ...


class ChangePassword(PlainWords, account.ChangePasswordForm): ...


class SetPassword(PlainWords, account.SetPasswordForm): ...


class ResetPassword(PlainWords, account.ResetPasswordForm):
    users: list[Any]

    def clean_email(self) -> str:
        """allauth would also mail to an address that somebody else has typed as their new one."""
        address: str = super().clean_email()
        self.users = [user for user in self.users if mailboxes.may_choose_password(user, address)]
        return address


class ResetPasswordKey(PlainWords, account.ResetPasswordKeyForm):
    def save(self) -> None:
        with transaction.atomic():
            mailboxes.drop_former_sign_ins(self.user)
            super().save()


class Reauthenticate(PlainWords, account.ReauthenticateForm): ...


class Authenticate(PlainWords, factors.AuthenticateForm): ...


class ReauthenticateFactor(PlainWords, factors.ReauthenticateForm): ...


class ActivateTOTP(PlainWords, totp.ActivateTOTPForm): ...


class AddPasskey(PlainWords, passkeys.AddWebAuthnForm): ...
