"""A grant does not go on naming whom it was about when the trail names them no more, and does not outlive the trail."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event, SubjectKey
from memoryportal.audit.prune import boundary
from memoryportal.audit.pseudonyms import destroy_keys, known_pseudonym
from memoryportal.erasure import engine, services, trail_keys
from memoryportal.erasure.models import Scope
from memoryportal.memory import Item, SubjectId
from memoryportal.support import tasks
from memoryportal.support.models import AccessGrant

from .staffing import open_access, page_of, said

LONG_AGO = timedelta(days=900)


def ended(client: Client, words: str) -> AccessGrant:
    grant = open_access(client, words, reason="She wrote that she is Alice of Porto")
    client.post(page_of(grant, "end/"))
    grant.refresh_from_db()
    return grant


@pytest.mark.django_db(transaction=True)
def test_a_grant_names_nobody_once_the_key_is_destroyed(
    alice: User, bob: User, items: list[Item], support_client: Client, auditor_client: Client
) -> None:
    grant, other = ended(support_client, "alice@example.com"), ended(support_client, "bob@example.com")
    subject = SubjectId(alice.subject)
    engine.run(services.ask(alice, subject, scope=Scope.ACCOUNT))
    grant.refresh_from_db()
    assert (grant.subject, grant.person) == (alice.subject, None), "as long as it has to be accountable"
    SubjectKey.objects.update(last_staff_access=timezone.now() - LONG_AGO)
    assert trail_keys.destroy_due_keys() == 1
    grant.refresh_from_db()
    assert (grant.subject, grant.person, grant.reason) == ("", None, "")
    assert grant.reference, "that somebody had access stays known"
    assert Event.objects.filter(grant=str(grant.pk), action="grant.opened").count() == 1
    other.refresh_from_db()
    assert (other.subject, other.person, other.reason[:3]) == (bob.subject, bob, "She")
    assert grant.reference in said(auditor_client.get(f"/support/audit/grants/{grant.pk}/"))
    assert support_client.get("/support/grants/").status_code == 200
    assert support_client.get(page_of(grant)).status_code < 500
    tasks.tell(str(grant.pk))


@pytest.mark.django_db(transaction=True)
def test_looking_at_the_request_makes_no_key_anew(alice: User, items: list[Item], privacy_client: Client) -> None:
    """It would be one that is made after the account went, as of somebody who came back, and stay for ever."""
    subject = SubjectId(alice.subject)
    erasure = engine.run(services.ask(alice, subject, scope=Scope.ACCOUNT))
    pages = f"/support/requests/{erasure.reference}/"
    privacy_client.get(pages)
    opened = Event.objects.filter(action="request.opened", object=erasure.reference)
    assert opened.get().subject == known_pseudonym(subject), "named as long as the key is there"
    assert trail_keys.destroy_due_keys() == 1
    assert privacy_client.get(pages).status_code == 200
    privacy_client.post(f"{pages}ids/")
    assert opened.first().subject is None  # type: ignore[union-attr]
    privacy_client.post("/support/people/", {"words": erasure.reference})
    assert Event.objects.filter(action="person.missed").count() == 1
    assert not SubjectKey.objects.filter(subject=subject).exists()


@pytest.mark.django_db
def test_a_key_that_stays_keeps_the_grant_as_it_is(alice: User, support_client: Client, items: list[Item]) -> None:
    grant = ended(support_client, "alice@example.com")
    assert destroy_keys([alice.subject], timezone.now() - timedelta(days=1)) == 0
    grant.refresh_from_db()
    assert (grant.subject, grant.person, bool(grant.reason)) == (alice.subject, alice, True)
    assert known_pseudonym(SubjectId(alice.subject)) is not None


@pytest.mark.django_db
def test_grants_go_with_the_months_of_the_trail(support_client: Client, items: list[Item]) -> None:
    past, kept = ended(support_client, "alice@example.com"), ended(support_client, "alice@example.com")
    running = open_access(support_client)
    AccessGrant.objects.filter(pk=past.pk).update(ended_at=boundary() - timedelta(seconds=1))
    AccessGrant.objects.filter(pk=kept.pk).update(ended_at=boundary())
    tasks.prune_grants(0)
    assert set(AccessGrant.objects.all()) == {kept, running}
