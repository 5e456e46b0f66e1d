"""Service keys in Django admin: to look at and to revoke. Making and rotating shows a secret: commands do that."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from memoryportal.accounts.administration.site import Narrowed, site
from memoryportal.accounts.http import PortalRequest

from . import keys
from .models import ServiceKey

SHOWN = (
    *("name", "prefix", "agents", "rights", "networks", "subjects_per_hour", "created_by", "created_at"),
    *("last_used", "rotated_at", "former_until", "revoked_at"),
)


class ServiceKeys(Narrowed, admin.ModelAdmin):
    fields = readonly_fields = SHOWN
    list_display = ("prefix", "name", "last_used", "created_at", "revoked_at")
    list_filter = ("revoked_at",)
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    list_per_page = 50
    show_full_result_count = False
    actions = None
    change_form_template = "administration/service_key.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ServiceKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ServiceKey | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(revoke)
        return [path("<uuid:key_id>/revoke/", view, name="revoke_service_key"), *super().get_urls()]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: PortalRequest, key_id: Any) -> HttpResponse:
    key = get_object_or_404(ServiceKey, pk=key_id)
    if request.method != "POST":
        return render(request, "administration/revoke_key.html", {**site.each_context(request), "key": key})
    try:
        keys.revoke(key, by=request.user)
        messages.success(request, "Revoked. The key and every token made with it are refused from now on.")
    except keys.KeyRefused as refusal:
        messages.error(request, f"Nothing was changed: {refusal}.")
    return redirect("admin:agent_servicekey_change", key.pk)


def register() -> None:
    """On the portal's own administration (accounts/administration/site.py)."""
    site.register(ServiceKey, ServiceKeys)
