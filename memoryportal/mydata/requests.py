"""Ask for an erasure without an account: the public form, and the page behind the link that is mailed.

Every answer of the form is the same, whoever the address belongs to (erasure/intake.py). Opening a link changes
nothing: programs that look into mails open links, too.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memoryportal.erasure import identity, intake, quotas
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.moves import NotNow

from . import present, request_cookies
from .erasure_words import about
from .forms import NameField

SCOPES = {
    Scope.EVERYTHING: "Everything that assistants remember about me",
    Scope.ACCOUNT: "Everything that assistants remember about me, and my account here",
    Scope.ASSISTANT: "Only what one assistant remembers",
}
NO_ADDRESS = "This is not a complete e-mail address, such as name@example.com."
MOST_TOLD = 500
MOST_TOKEN = 100  # characters; ours are shorter


class RequestForm(forms.Form):
    """What somebody asks for who is not signed in. The address is not looked up here."""

    address = forms.EmailField(
        label="Your e-mail address",
        max_length=254,
        help_text="We send a link there, to make sure that it is you who asks.",
        error_messages={"required": "Write your e-mail address.", "invalid": NO_ADDRESS},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    scope = forms.ChoiceField(
        label="What is to be erased?", widget=forms.RadioSelect, choices=[*SCOPES.items()], initial=Scope.EVERYTHING
    )
    agent = NameField(
        "an assistant",
        label="Name of the assistant",
        help_text="Only if you chose one assistant above.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    told = forms.CharField(
        label="How does the assistant know you?",
        required=False,
        max_length=MOST_TOLD,
        help_text="A user name or number, if it is another one than your address. Leave out what nobody needs to know.",
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("scope") != Scope.ASSISTANT:
            given["agent"] = ""
            self.errors.pop("agent", None)
        elif not given.get("agent") and "agent" not in self.errors:
            self.add_error("agent", "Write the name of the assistant.")
        return given


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Signed-in people have a shorter way."""
    if request.user.is_authenticated:
        return redirect("mydata:erase")
    form = RequestForm(request.POST if request.method == "POST" else None)
    if not (form.is_bound and form.is_valid()):
        return render(request, "mydata/request.html", {"form": form}, status=422 if form.errors else 200)
    if wait := quotas.seconds_to_wait(_network(request)):
        return _too_many(request, wait)
    intake.file(**form.cleaned_data)
    return redirect("mydata:request_sent")


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    return render(request, "mydata/request_sent.html", {"most": identity.LINKS})


def _network(request: HttpRequest) -> str:
    """The client's address, as far as the configured proxies can be trusted."""
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return ""


def _too_many(request: HttpRequest, wait: int) -> HttpResponse:
    context = {"minutes": -(-wait // 60)}
    response = render(request, "mydata/request_too_many.html", context, status=429)
    response.headers["Retry-After"] = str(wait)
    return response


# --- the link of a mail ----------------------------------------------------------------------------------------------


@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address. Whether it is any good, the page that follows looks."""
    response = request_cookies.take_link(redirect("mydata:request_confirm"), token[:MOST_TOKEN])
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """What was asked, and two buttons; POST is the first of them."""
    token = request_cookies.read_link(request)
    try:
        if request.method == "POST":
            erasure = intake.confirm(token)
            return _to_status(erasure, identity.new_secret(erasure))
        return _ask(request, intake.behind(token))
    except identity.NoSuchLink:
        return _no_link(request)
    except NotNow as why:
        messages.error(request, str(why))
        return redirect("mydata:request_confirm")


@require_POST
def withdraw(request: HttpRequest) -> HttpResponse:
    """The other button."""
    try:
        erasure = identity.withdraw(request_cookies.read_link(request))
    except identity.NoSuchLink:
        return _no_link(request)
    except NotNow as why:
        messages.error(request, str(why))
        return redirect("mydata:request_confirm")
    return request_cookies.drop_link(render(request, "mydata/request_withdrawn.html", {"erasure": erasure}))


def _ask(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    if erasure.identified_at is not None:  # the link was used: it still leads to the request
        return _to_status(erasure, identity.secret_of(erasure))
    context = {
        "erasure": erasure,
        "about": about(erasure),
        "asked_at": present.moment(erasure.asked_at),
        "hours": settings.ERASURE_GRACE_HOURS,
    }
    return render(request, "mydata/request_confirm.html", context)


def _to_status(erasure: Erasure, secret: str) -> HttpResponse:
    response = redirect("mydata:request", erasure.reference)
    return request_cookies.remember(request_cookies.drop_link(response), erasure, secret)


def _no_link(request: HttpRequest) -> HttpResponse:
    """One answer for every token that is of no use, and for none."""
    return render(request, "mydata/request_no_link.html", status=404)
