"""The page from which somebody came to correct or delete a memory. The address names it by a word of ours."""

from typing import NamedTuple

from django.http import HttpRequest
from django.urls import reverse


class WayBack(NamedTuple):
    """Where to go afterwards. `label` is read by people; `query` keeps the word in the form's address."""

    url: str
    label: str
    query: str = ""


def way_back(request: HttpRequest, otherwise: WayBack) -> WayBack:
    """To the assistant where the link was its own; else `otherwise`."""
    if request.GET.get("from") != "assistant":
        return otherwise
    return WayBack(reverse("assistant:talk") + "#latest", "Back to the assistant", "?from=assistant")
