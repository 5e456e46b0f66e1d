"""Everything that is held about a person, place by place, and what the portal itself keeps."""

from dataclasses import dataclass
from typing import NamedTuple

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import chosen, is_connected, subjects_in_order
from memoryportal.accounts.trail import LEARNING_AGAIN, changing
from memoryportal.erasure import services
from memoryportal.memory import Entity, Item, Message, ScopedMemory, Stopped, Version, bulk
from memoryportal.memory.places import PLACES

from . import present
from .answers import explained
from .assistants_words import handed_to
from .forms import ANOTHER_ID, shows_another_id

MOST = 100  # rows of one place on this page; the export holds all
MOST_LINKS = 5


class PlaceCount(NamedTuple):
    """A place in the order in which people are shown them; `anchor` is where on this page its content stands."""

    key: str
    label: str
    explains: str
    held: int


class Kept(NamedTuple):
    """How many rows the portal's own tables hold about an account."""

    addresses: int
    sessions: int
    factors: int
    ids: int
    erasures: int


@dataclass(frozen=True, slots=True)
class NotedName:
    """A noted name and memories that it comes from; `more` are left out here, `gone` are not there any more."""

    text: str
    kind: str
    memories: list[present.Shown]
    more: int
    gone: int


class Said(NamedTuple):
    """One message of the buffer, as people read it."""

    text: str
    when: str
    who: str
    agent: str | None
    run: str | None


@dataclass(frozen=True, slots=True)
class StoppedWordings:
    """How many wordings are never to be learned again; `since` is when the first of them was stopped."""

    count: int
    since: str


class Outlived(NamedTuple):
    """A wording of a memory that is gone. `text` is None where it was removed."""

    text: str | None
    when: str


@require_safe
@login_required
def show(request: PortalRequest) -> HttpResponse:
    memory, held = request.memory, request.memory.held()
    context = {
        "places": in_words(held),
        "total": sum(held.values()),
        "connected": is_connected(request.user),
        "names": _names(memory),
        "more_names": held.get("entities", 0) > MOST,
        "said": [_said(message) for message in memory.messages(MOST)],
        "more_said": held.get("messages", 0) > MOST,
        "past": [_outlived(version) for version in memory.past(MOST)],
        "handed": handed_to(memory.handed()),
        "log_days": settings.USE_LOG_DAYS,
        "stopped": _stopped(memory.stopped()),
        "shown": chosen(request).key,
        "kept": _kept(request.user),
        "most": MOST,
    }
    return render(request, "mydata/held.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@explained
def allow_again(request: PortalRequest) -> HttpResponse:
    """Forget what was never to be learned again. A GET, as after signing in again, leads to the page."""
    if request.method == "POST" and shows_another_id(request):
        messages.error(request, ANOTHER_ID)
    elif request.method == "POST":
        with changing(request, LEARNING_AGAIN, "all") as counts:
            counts["count"] = request.memory.allow_again()
        wordings = present.counted(counts["count"], "wording", "wordings")
        messages.success(request, f"{wordings} may be learned again from now on.")
    return redirect("mydata:held")


def in_words(held: dict[str, int]) -> list[PlaceCount]:
    """Places and their counts, as people read them."""
    return [PlaceCount(key, PLACES[key].label, PLACES[key].explains, count) for key, count in held.items()]


def _names(memory: ScopedMemory) -> list[NotedName]:
    entities = memory.entities(MOST)
    items = bulk.items(memory, {link for entity in entities for link in entity.memory_ids[:MOST_LINKS]})
    return [_name(entity, items) for entity in entities]


def _name(entity: Entity, items: dict[str, Item]) -> NotedName:
    named = entity.memory_ids[:MOST_LINKS]
    found = [items[link] for link in named if link in items]
    return NotedName(
        text=entity.text,
        kind=(entity.kind or "").lower().replace("_", " "),
        memories=present.listed(found),
        more=len(entity.memory_ids) - len(named),
        gone=len(named) - len(found),
    )


def _said(message: Message) -> Said:
    who = present.said_by(message.role) or "somebody said"
    return Said(message.text, present.moment(message.at), who, message.agent, message.run)


def _stopped(stopped: Stopped) -> StoppedWordings:
    return StoppedWordings(stopped.count, present.moment(stopped.since))


def _outlived(version: Version) -> Outlived:
    return Outlived(version.new if version.new is not None else version.old, present.moment(version.at))


def _kept(user: User) -> Kept:
    return Kept(
        addresses=EmailAddress.objects.filter(user=user).count(),
        sessions=UserSession.objects.filter(user=user).count(),
        factors=Authenticator.objects.filter(user=user).count(),
        ids=len(subjects_in_order(user)),
        erasures=len(services.history(user)),
    )
