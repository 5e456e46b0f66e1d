"""What an administrator does with one account, each on a page of its own that says what will happen."""

from collections.abc import Callable
from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from memoryportal.audit.actions import Action

from .. import addresses, granting, sessions
from ..http import PortalRequest
from ..models import User
from ..staff import pseudonym_of_staff
from ..trail import note_account
from ..waiting import AddressChange, RoleAsk

ACCOUNT = "admin:accounts_user_change"


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=[(role, role) for role in granting.GRANTABLE])
    reason = forms.CharField(min_length=10, max_length=500, help_text="For the other administrators and the auditors.")


class AddressForm(forms.Form):
    address = forms.EmailField(label="New address")
    reason = forms.CharField(min_length=10, max_length=500, help_text="For the auditors.")


# --- roles -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def roles(request: PortalRequest, account_id: int) -> HttpResponse:
    account = get_object_or_404(User, pk=account_id)
    form = RoleForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        asked = form.cleaned_data
        _try(
            request,
            lambda: granting.ask(request.user, account, asked["role"], asked["reason"]),
            "Asked. Another administrator has to approve it; all of them are told.",
        )
        return redirect("admin:account_roles", account.pk)
    waiting = [_listed(request, ask) for ask in RoleAsk.objects.filter(account=account)]
    return _page(request, "roles", account, form=form, held=granting.held(account), waiting=waiting)


def _listed(request: PortalRequest, ask: RoleAsk) -> dict[str, Any]:
    own = request.user.pk in (ask.by_id, ask.account_id)
    return {"ask": ask, "by": pseudonym_of_staff(ask.by_id), "own": own}


@require_POST
def approve(request: PortalRequest, account_id: int, ask_id: int) -> HttpResponse:
    get_object_or_404(RoleAsk, pk=ask_id, account=account_id)
    _try(request, lambda: granting.approve(request.user, ask_id), "Granted. All administrators are told.")
    return redirect("admin:account_roles", account_id)


@require_POST
def drop(request: PortalRequest, account_id: int, ask_id: int) -> HttpResponse:
    get_object_or_404(RoleAsk, pk=ask_id, account=account_id)
    _try(request, lambda: granting.drop(request.user, ask_id), "Not granted. Nothing was changed.")
    return redirect("admin:account_roles", account_id)


@require_POST
def revoke(request: PortalRequest, account_id: int, role: str) -> HttpResponse:
    account = get_object_or_404(User, pk=account_id)
    _try(request, lambda: granting.revoke(request.user, account, role), "Taken away. All administrators are told.")
    return redirect("admin:account_roles", account_id)


# --- getting somebody back in ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def recover(request: PortalRequest, account_id: int) -> HttpResponse:
    """Mail the person, at the address that they have confirmed, a link for a new password. Nobody else sees it."""
    account = get_object_or_404(User, pk=account_id)
    address = EmailAddress.objects.filter(user=account, verified=True).order_by("-primary").first()
    if request.method != "POST":
        return _page(request, "recover", account, address=address)
    form = ResetPasswordForm({"email": address.email} if address else {})
    if account.is_active and form.is_valid():
        note_account(account, Action.ACCOUNT_CHANGED, request, fields=["recovery"], target=account.pk)
        form.save(request)
        messages.success(request, "The mail was sent to the confirmed address.")
    else:
        messages.error(request, "No mail was sent: there is no confirmed address, or the account is closed.")
    return redirect(ACCOUNT, account_id)


@require_http_methods(["GET", "HEAD", "POST"])
def address(request: PortalRequest, account_id: int) -> HttpResponse:
    """Announce another address to the present one; the worker makes the change three days later."""
    account = get_object_or_404(User, pk=account_id)
    form = AddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        new, reason = form.cleaned_data["address"], form.cleaned_data["reason"]
        _try(
            request,
            lambda: addresses.ask(request, request.user, account, new, reason),
            "Announced to the present address. The change is made in 72 hours, unless somebody cancels it.",
        )
        return redirect("admin:account_address", account.pk)
    waiting = AddressChange.objects.filter(account=account).first()
    return _page(request, "address", account, form=form, waiting=waiting)


@require_POST
def cancel_address(request: PortalRequest, account_id: int) -> HttpResponse:
    addresses.cancel(get_object_or_404(AddressChange, account=account_id), by=request.user)
    messages.success(request, "Cancelled. The address stays as it is.")
    return redirect("admin:account_address", account_id)


@require_http_methods(["GET", "HEAD", "POST"])
def end_sessions(request: PortalRequest, account_id: int) -> HttpResponse:
    account = get_object_or_404(User, pk=account_id)
    if request.method != "POST":
        return _page(request, "sessions", account)
    with transaction.atomic():
        number = sessions.end_all(account)
        note_account(account, Action.SESSION_ENDED, request, kind="all", count=number)
    messages.success(request, f"Ended {number} session(s).")
    return redirect(ACCOUNT, account_id)


ROUTES: tuple[tuple[str, Callable[..., HttpResponse], str], ...] = (
    ("roles/", roles, "roles"),
    ("roles/<int:ask_id>/approve/", approve, "role_approve"),
    ("roles/<int:ask_id>/drop/", drop, "role_drop"),
    ("roles/<slug:role>/revoke/", revoke, "role_revoke"),
    ("recover/", recover, "recover"),
    ("address/", address, "address"),
    ("address/cancel/", cancel_address, "address_cancel"),
    ("sessions/", end_sessions, "sessions"),
)


def _page(request: PortalRequest, name: str, account: User, **context: Any) -> HttpResponse:
    from .site import site

    about = {**site.each_context(request), "account": account, **context}
    form = context.get("form")
    return render(request, f"administration/{name}.html", about, status=422 if form and form.errors else 200)


def _try(request: PortalRequest, act: Callable[[], object], done: str) -> None:
    try:
        act()
        messages.success(request, done)
    except (granting.RoleRefused, addresses.ChangeRefused) as refusal:
        messages.error(request, str(refusal))
