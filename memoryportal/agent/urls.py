"""/api/v1/: the operations of api.py, the document that describes them, and a problem for everything else."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path

from . import description
from .api import api
from .envelope import gateway
from .problems import Problem


def _nothing(request: HttpRequest, **_: object) -> HttpResponse:
    raise Problem("no-such-endpoint")


def _operations() -> list[URLPattern]:
    """ninja's views, each behind the gateway's envelope. Its root page, which would be Django's 404, is left out."""
    patterns, _, _ = api.urls
    found = [pattern for pattern in patterns if isinstance(pattern, URLPattern) and pattern.name != "api-root"]
    for pattern in found:
        pattern.callback = gateway(pattern.callback, str(pattern.name), description.methods_at(str(pattern.pattern)))
    return found


app_name = "gateway"
urlpatterns = [
    path("openapi.json", description.openapi, name="openapi"),
    path("docs", description.docs, name="docs"),
    *_operations(),
    re_path(r"^(?P<rest>.*)$", gateway(_nothing, "nothing"), name="nothing"),
]
