import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from memoryportal.accounts.roles import ROLES


@pytest.mark.django_db(transaction=True)
def test_the_roles_exist_after_migrating_and_after_a_flush() -> None:
    """A flush empties the tables; a migration would not write the groups again."""
    Group.objects.filter(name="support").delete()
    call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES) == {"support", "privacy", "auditor"}


@pytest.mark.django_db
def test_no_role_carries_permissions() -> None:
    assert not Group.objects.filter(permissions__isnull=False).exists()
