import uuid
from contextlib import AbstractContextManager

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from memoryportal.accounts.models import SubjectIsFixed, SubjectLink, SubjectTaken, User
from memoryportal.memory import InvalidSubject

pytestmark = pytest.mark.django_db


def refused_by_the_database() -> AbstractContextManager[object]:
    return pytest.raises(IntegrityError)


def link_to(account: User, subject: str) -> SubjectLink:
    return SubjectLink.objects.create(account=account, subject=subject, proof="operator", reason="they asked")


def test_every_account_is_issued_a_random_subject(alice: User, bob: User) -> None:
    assert uuid.UUID(alice.subject).version == 4
    assert uuid.UUID(bob.subject).version == 4
    assert alice.subject != bob.subject


def test_an_address_is_stored_in_lower_case_and_found_in_any() -> None:
    user = User.objects.create_user(" Carol@Example.COM ")
    assert user.email == "carol@example.com"
    assert User.objects.get_by_natural_key("CAROL@example.com") == user


def test_an_address_is_unique_whatever_its_case(alice: User) -> None:
    with refused_by_the_database(), transaction.atomic():
        User.objects.create_user("ALICE@example.com")
    with refused_by_the_database(), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(email="Alice@example.com")
    assert User.objects.filter(email__iexact="alice@example.com").count() == 1


def test_the_model_refuses_another_subject(alice: User, bob: User) -> None:
    before = alice.subject
    alice.subject = str(uuid.uuid4())
    with pytest.raises(SubjectIsFixed):
        alice.save()
    with pytest.raises(SubjectIsFixed):
        alice.save(update_fields=["subject"])
    alice.refresh_from_db(fields=["email"])  # must not make the other subject the known one
    with pytest.raises(SubjectIsFixed):
        alice.save()
    assert User.objects.get(pk=alice.pk).subject == before


def test_a_fresh_account_cannot_change_its_subject_either() -> None:
    user = User.objects.create_user("carol@example.com")
    user.subject = str(uuid.uuid4())
    with pytest.raises(SubjectIsFixed):
        user.save()


def test_the_database_refuses_another_subject(alice: User) -> None:
    before = alice.subject
    with refused_by_the_database(), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(subject="other")
    with refused_by_the_database(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET subject = 'other' WHERE id = %s", [alice.pk])
    partly_loaded = User.objects.only("email").get(pk=alice.pk)
    partly_loaded.subject = "other"
    with refused_by_the_database(), transaction.atomic():
        partly_loaded.save()
    assert User.objects.get(pk=alice.pk).subject == before


def test_the_refusal_names_no_subject(alice: User) -> None:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        User.objects.filter(pk=alice.pk).update(subject="other-subject")
    assert alice.subject not in str(refusal.value)
    assert "other-subject" not in str(refusal.value)


def test_other_columns_of_an_account_can_change(alice: User) -> None:
    alice.time_zone = "Europe/Berlin"
    alice.save()
    User.objects.filter(pk=alice.pk).update(is_active=False)
    alice.refresh_from_db()
    assert (alice.time_zone, alice.is_active) == ("Europe/Berlin", False)


@pytest.mark.parametrize("subject", ["", "*", "a,b", "a b", "x" * 129, "a\u200bb", "e\u0301"])
def test_an_account_is_not_issued_a_subject_that_stores_confuse(subject: str) -> None:
    with pytest.raises(InvalidSubject):
        User.objects.create_user("carol@example.com", subject=subject)
    assert not User.objects.filter(email="carol@example.com").exists()


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "utc"])
def test_an_unknown_time_zone_is_refused(alice: User, name: str) -> None:
    alice.time_zone = name
    with pytest.raises(ValidationError):
        alice.save()
    assert User.objects.get(pk=alice.pk).time_zone == "UTC"


def test_only_a_superuser_is_staff_for_django(alice: User) -> None:
    assert not alice.is_staff
    assert User.objects.create_superuser("root@example.com", "long enough 1").is_staff


@pytest.mark.parametrize("subject", ["", "*", "a,b", " alice", "x" * 129])
def test_a_hostile_subject_is_not_linked(alice: User, subject: str) -> None:
    with pytest.raises(InvalidSubject):
        link_to(alice, subject)
    with pytest.raises(ValidationError):
        SubjectLink(account=alice, subject=subject, proof="operator", reason="they asked").clean_fields()
    assert not SubjectLink.objects.exists()


def test_a_subject_is_linked_to_one_account_only(alice: User, bob: User) -> None:
    link_to(alice, "customer-17")
    with refused_by_the_database(), transaction.atomic():
        link_to(bob, "customer-17")
    assert list(SubjectLink.objects.values_list("account", "subject")) == [(alice.pk, "customer-17")]


def test_subjects_that_differ_by_case_belong_to_different_people(alice: User, bob: User) -> None:
    link_to(alice, "customer-a")
    link_to(bob, "customer-A")
    assert SubjectLink.objects.get(subject="customer-A").account == bob


def test_an_issued_subject_is_not_linked_to_another_account(alice: User, bob: User) -> None:
    with pytest.raises(SubjectTaken):
        link_to(bob, alice.subject)
    with refused_by_the_database(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_subjectlink (account_id, subject, issuer, proof, reason, created_at)"
            " VALUES (%s, %s, '', '', '', now())",
            [bob.pk, alice.subject],
        )
    assert not SubjectLink.objects.exists()


def test_a_link_cannot_be_moved_onto_an_issued_subject(alice: User, bob: User) -> None:
    link = link_to(bob, "customer-17")
    with refused_by_the_database(), transaction.atomic():
        SubjectLink.objects.filter(pk=link.pk).update(subject=alice.subject)
    assert SubjectLink.objects.get().subject == "customer-17"


def test_a_linked_subject_is_not_issued_to_a_new_account(alice: User) -> None:
    link_to(alice, "customer-17")
    with refused_by_the_database(), transaction.atomic():
        User.objects.create_user("carol@example.com", subject="customer-17")
    assert not User.objects.filter(email="carol@example.com").exists()
