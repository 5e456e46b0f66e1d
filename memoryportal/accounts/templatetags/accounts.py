from typing import Any

from django import template
from django.urls import reverse

from .. import mailboxes
from ..models import User
from ..subjects import chosen, subjects_in_order

register = template.Library()

# The order matters: Edge and Opera also call themselves Chrome, Chrome also calls itself Safari.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """ "Firefox on Linux" for a User-Agent header, so that people know their own devices again."""
    name = _first(user_agent, _BROWSERS, "A browser")
    system = _first(user_agent, _SYSTEMS, "")
    return f"{name} on {system}" if system else name


def _first(text: str, words: tuple[tuple[str, str], ...], otherwise: str) -> str:
    return next((name for word, name in words if word in text), otherwise)


@register.simple_tag(takes_context=True)
def is_signing_in(context: dict[str, Any], confirmation: Any) -> bool:
    """Whether this browser may confirm the address of a mailed link."""
    return mailboxes.is_signing_in(context["request"], confirmation.email_address.user_id)


@register.inclusion_tag("accounts/_shown.html", takes_context=True)
def shown_subject(context: dict[str, Any]) -> dict[str, Any]:
    """Which of several ids the person's pages are about. Costs no statement: the account came with its links.

    Not on the staff's pages, which are about somebody else.
    """
    request = context.get("request")
    user = getattr(request, "user", None)  # none on the error page of a request that got no further
    if request is None or not isinstance(user, User) or request.path.startswith("/support/"):
        return {}
    several = len(subjects_in_order(user)) > 1
    return {"shown": chosen(request) if several else None, "settings_url": reverse("accounts:settings")}
