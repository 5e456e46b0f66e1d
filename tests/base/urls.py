"""The portal's own map, with views that get into trouble."""

from collections.abc import Iterator
from typing import NoReturn

import psycopg
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from memoryportal.memory import StoreUnavailable
from memoryportal.urls import handler400, handler403, handler404, handler500
from memoryportal.urls import urlpatterns as portal

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]
CANARY = "canary-99 is allergic to nuts"


def store_gone(request: HttpRequest) -> NoReturn:
    raise StoreUnavailable(CANARY)


def database_gone(request: HttpRequest) -> NoReturn:
    raise OperationalError(CANARY)


def driver_gone(request: HttpRequest) -> NoReturn:
    raise psycopg.OperationalError(CANARY)


def broken(request: HttpRequest) -> NoReturn:
    raise ValueError(CANARY)


def cached(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x", headers={"Cache-Control": "public, max-age=600"})


def cut(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        yield "begun"
        raise ValueError(CANARY)

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path("cut", cut),
    path("store-gone", store_gone),
    path("database-gone", database_gone),
    path("driver-gone", driver_gone),
    path("broken", broken),
    path("cached", cached),
    *portal,
]
