"""Django admin behind the portal's own door: administrators with a second factor, and nobody else knows it is there."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver

from .. import second_factor
from ..http import is_htmx, login_url, page_path, send_to
from ..waiting import RoleAsk

View = Callable[..., HttpResponseBase]
# Signing in and out and passwords are the portal's; the last two would look into other tables.
_NOT_HERE = {"login", "logout", "password_change", "password_change_done", "autocomplete", "view_on_site"}


class Site(AdminSite):
    site_title = site_header = "Administration"
    index_title = "Accounts and roles"
    index_template = "administration/index.html"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        """What Django asks once more behind `admin_view`, several times for each page."""
        return is_administrator(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _refusal(request) or inner(request, *args, **kwargs)

        return guarded

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [entry for entry in super().get_urls() if getattr(entry, "name", "") not in _NOT_HERE]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        waiting = RoleAsk.objects.select_related("account")
        return super().index(request, {**(extra_context or {}), "waiting": waiting})

    def get_log_entries(self, request: HttpRequest) -> Any:
        """None: Django's own log stays empty, the audit trail has everything (people.py)."""
        return ()


class Narrowed:
    """Mix-in before ModelAdmin: an address narrows a list down by what the list offers, and by nothing else.

    Django's own takes every column, a password's hash included: whether a row is found would tell it letter by letter.
    """

    list_filter: ClassVar[Any]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup.partition("__")[0] in self.list_filter and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]


def is_administrator(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.user.is_active and request.user.is_superuser)


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    """Anonymous people go to the sign-in; for everybody who is no administrator the page does not exist."""
    if not request.user.is_authenticated:
        is_a_page = request.method == "GET" and not is_htmx(request)
        return send_to(request, login_url(request.get_full_path() if is_a_page else page_path(request)))
    if not is_administrator(request):
        raise Http404
    return None if settings.DEMO else second_factor.refusal(request)


site = Site(name="admin")
