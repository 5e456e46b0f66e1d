"""The map of the portal. Each room keeps its own URLs."""

from django.urls import include, path

from memoryportal.accounts import views as accounts
from memoryportal.accounts.administration import people as administration
from memoryportal.base import views as base

urlpatterns = [
    path("", accounts.start, name="start"),
    path("accounts/", include("allauth.urls")),
    path("settings/", include("memoryportal.accounts.urls")),
    path("", include("memoryportal.mydata.urls")),
    path("support/", include("memoryportal.support.urls")),
    path("assistant/", include("memoryportal.agent.assistant_urls")),
    path("api/v1/", include("memoryportal.agent.urls")),
    path(".well-known/memoryportal-keys.json", base.public_keys, name="public_keys"),
    path("admin/", administration.urls()),
    path("healthz", base.healthz, name="healthz"),
    path("readyz", base.readyz, name="readyz"),
]
handler400 = "memoryportal.base.views.bad_request"
handler403 = "memoryportal.base.views.forbidden"
handler404 = "memoryportal.base.views.not_found"
handler500 = "memoryportal.base.views.server_error"
