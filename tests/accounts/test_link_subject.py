from typing import Any

import pytest
from django.core.management import CommandError, call_command

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.accounts.subjects import own_subjects

pytestmark = pytest.mark.django_db


def run(*arguments: str, **options: Any) -> None:
    call_command("link_subject", *arguments, **options)


def test_an_id_is_linked(alice: User, capsys: pytest.CaptureFixture[str]) -> None:
    run("Alice@example.com", "customer-1", "--reason", "ticket 12", "--issuer", "The shop")
    link = SubjectLink.objects.get()
    assert (link.account, link.subject, link.reason, link.issuer, link.proof, link.by) == (
        alice,
        "customer-1",
        "ticket 12",
        "The shop",
        "operator",
        None,
    )
    assert own_subjects(alice) == ["customer-1", alice.subject]
    assert "Linked" in capsys.readouterr().out


def test_a_link_needs_a_reason(alice: User) -> None:
    for reason in ("", "  "):
        with pytest.raises(CommandError, match="--reason is required"):
            run("alice@example.com", "customer-1", "--reason", reason)
    assert not SubjectLink.objects.exists()


@pytest.mark.parametrize("subject", ["*", "a,b", " customer-1", ""])
def test_a_hostile_id_is_refused(subject: str, alice: User) -> None:
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("alice@example.com", subject, "--reason", "ticket 12")
    assert not SubjectLink.objects.exists()


def test_an_id_of_somebody_else_is_refused(alice: User, bob: User) -> None:
    run("alice@example.com", "customer-1", "--reason", "ticket 12")
    for taken in ("customer-1", alice.subject):
        with pytest.raises(CommandError, match="Nothing was changed"):
            run("bob@example.com", taken, "--reason", "ticket 13")
    assert SubjectLink.objects.get().account == alice


def test_an_unknown_account_is_said_to_be_unknown() -> None:
    with pytest.raises(CommandError, match="no account"):
        run("nobody@example.com", "customer-1", "--reason", "ticket 12")


def test_a_link_is_removed(alice: User, bob: User) -> None:
    run("alice@example.com", "customer-1", "--reason", "ticket 12")
    with pytest.raises(CommandError, match="no such link"):
        run("bob@example.com", "customer-1", "--remove")
    assert SubjectLink.objects.count() == 1
    run("alice@example.com", "customer-1", "--remove")
    assert own_subjects(alice) == [alice.subject]
