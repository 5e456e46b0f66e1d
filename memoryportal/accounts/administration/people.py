"""Accounts in Django admin. One field can be changed there: whether somebody may sign in."""

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html_join

from memoryportal.audit.actions import Action

from .. import granting
from ..configuration import name_of
from ..models import User
from ..second_factor import has_second_factor
from ..trail import note_account
from . import pages
from .site import Narrowed
from .site import site as site  # the map of the portal takes it from here, with its pages on it

SHOWN = ("email", "addresses", "subject", "links", "roles", "second_factor", "time_zone", "created_at", "last_login")


class AccountForm(forms.ModelForm):
    def clean_is_active(self) -> bool:
        active: bool = self.cleaned_data["is_active"]
        if not active and granting.is_last_administrator(self.instance):
            raise ValidationError("This is the last administrator: nobody could let anybody in again.")
        return active


@admin.register(User, site=site)
class Accounts(Narrowed, admin.ModelAdmin):
    form = AccountForm
    fields = ("is_active", *SHOWN)
    readonly_fields = SHOWN
    list_display = ("email", "is_active", "roles", "created_at")
    list_filter = ("is_superuser", "groups", "is_active")
    search_fields = ("email",)
    ordering = ("email",)
    list_per_page = 50
    show_full_result_count = False
    actions = None
    change_form_template = "administration/account.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        found: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        return found

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:account_id>/{route}", self.admin_site.admin_view(view), name=f"account_{name}")
            for route, view, name in pages.ROUTES
        ]
        return [*own, *super().get_urls()]

    # --- what is shown -----------------------------------------------------------------------------------------------

    @admin.display(description="addresses")
    def addresses(self, account: User) -> str:
        rows = EmailAddress.objects.filter(user=account).order_by("-primary", "email")
        return _lines(f"{row.email}, {'confirmed' if row.verified else 'not confirmed'}" for row in rows)

    @admin.display(description="connected ids")
    def links(self, account: User) -> str:
        return _lines(
            f"{link.subject}{f' at {name_of(link.issuer)}' if link.issuer else ''}, {link.get_proof_display()}, "
            f"{date_format(link.created_at, 'j F Y')}"
            for link in account.subject_links.all()
        )

    @admin.display(description="roles")
    def roles(self, account: User) -> str:
        return ", ".join(granting.held(account)) or "–"

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, account: User) -> bool:
        return has_second_factor(account)

    # --- what is changed ---------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """This field alone: a full save could write back what the person has changed meanwhile."""
        obj.save(update_fields=form.changed_data)

    def construct_change_message(  # type: ignore[override]
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[str]:
        return list(form.changed_data)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> None:  # type: ignore[override]
        """Into the audit trail, as the last statement of the change. Django's own log can be edited: it stays empty."""
        if message:
            state = "open" if obj.is_active else "closed"
            note_account(obj, Action.ACCOUNT_CHANGED, request, fields=message, state=state, target=obj.pk)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        raise Http404


def urls() -> tuple[Any, str, str]:
    """What belongs under /admin/, with every account page registered."""
    return site.urls


def _lines(lines: Any) -> str:
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines)) or "–"
