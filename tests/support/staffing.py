"""The staff, what they send, and what the trail says about it afterwards."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.audit.models import Event
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.accounts.helpers import add_totp, person
from tests.accounts.helpers import signed_in as signed_in

WHY = {"category": "question", "ticket": "T-4711", "reason": "The person asked what is stored", "minutes": "15"}
_APPEND = "FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb)"


def staff_member(name: str, *roles: str, factor: bool = True) -> User:
    user = person(f"{name}@example.com")
    user.groups.set(Group.objects.filter(name__in=roles))
    if factor:
        add_totp(user)
    return user


def linked(account: User, subject: str, issuer: str = "") -> SubjectLink:
    return SubjectLink.objects.create(account=account, subject=subject, issuer=issuer, proof="operator", reason="test")


def find(client: Client, words: str, **more: Any) -> Any:
    return client.post("/support/people/", {"words": words}, **more)


def open_access(client: Client, words: str = "alice@example.com", **why: str) -> AccessGrant:
    """Find somebody and open access, as a member of the staff does it."""
    assert find(client, words).status_code == 302
    answer = client.post("/support/grants/", {**WHY, **why})
    assert answer.status_code == 302, said(answer)
    return AccessGrant.objects.get(pk=answer.headers["Location"].split("/")[-2])


def page_of(grant: AccessGrant, rest: str = "") -> str:
    return f"/support/grants/{grant.pk}/{rest}"


def fragment(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": target}


def said(response: Any) -> str:
    """The words of an answer as one line, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def actions(since: int = 0) -> list[str]:
    """What the trail says, oldest first."""
    return list(Event.objects.filter(seq__gt=since).order_by("seq").values_list("action", flat=True))


def newest() -> int:
    last = Event.objects.order_by("seq").last()
    return last.seq if last else 0


def last_event(action: str) -> Event:
    return Event.objects.filter(action=action).latest("seq")


def state(memory: ScopedMemory) -> Any:
    """What a refused act must leave as it was: the memories, the grants, the erasures."""
    from memoryportal.erasure.models import Erasure

    grants = AccessGrant.objects.order_by("pk").values_list("pk", "ended_at", "searches", "revealed")
    items = [(item.id, item.text, item.version) for item in memory.walk()]
    return items, list(grants), list(Erasure.objects.order_by("pk").values_list("pk", "state"))


def no_text_of(items: list[Item], response: Any) -> bool:
    body = html.unescape(response.content.decode())
    return not any(word in body for item in items for word in item.text.split() if len(word) > 4)


@contextmanager
def broken_trail() -> Iterator[None]:
    """The trail takes no events for a while, as when its disk is full."""
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as owner:
        owner.execute(f"REVOKE EXECUTE ON {_APPEND} FROM memoryportal_app")
        try:
            yield
        finally:
            owner.execute(f"GRANT EXECUTE ON {_APPEND} TO memoryportal_app")


@contextmanager
def full_for(action: str) -> Iterator[None]:
    """The trail takes every event but this one."""
    body = f"BEGIN IF NEW.action = '{action}' THEN RAISE 'full' USING ERRCODE = '53100'; END IF; RETURN NEW; END"
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as owner:
        owner.execute(f"CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        owner.execute("CREATE TRIGGER is_full BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION is_full()")
        try:
            yield
        finally:
            owner.execute("DROP FUNCTION is_full() CASCADE")
