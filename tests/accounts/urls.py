"""The portal's URLs and a few views that do what the other rooms' views do."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from memoryportal.accounts.stepup import step_up
from memoryportal.urls import handler400, handler403, handler404, handler500
from memoryportal.urls import urlpatterns as portal

__all__ = ["handler400", "handler403", "handler404", "handler500"]
done: list[str] = []  # what the dangerous views did


def whose(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.memory.subject)  # type: ignore[attr-defined]


def untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("no memory was asked for")


@login_required
def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse("private")


@login_required
def now(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(timezone.get_current_timezone()))


@step_up
def dangerous(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        done.append("dangerous")
    return HttpResponse("ask" if request.method == "GET" else "done")


@require_POST
@step_up(back_to="dangerous")
def only_post(request: HttpRequest) -> HttpResponse:
    done.append("only_post")
    return HttpResponse("done")


urlpatterns = [
    *portal,
    path("test/whose/", whose),
    path("test/untouched/", untouched),
    path("test/private/", private),
    path("test/now/", now),
    path("test/dangerous/", dangerous, name="dangerous"),
    path("test/only-post/", only_post),
]
