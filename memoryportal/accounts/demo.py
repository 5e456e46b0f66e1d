"""The people of the demo. Their password is known to everybody, so they exist in the demo and in tests only."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured

from .models import User
from .roles import AUDITOR, PRIVACY, SUPPORT, make_groups
from .subjects import mark_connected

PASSWORD = "demo-portal-1"  # noqa: S105 - public on purpose
STAFF = {"support": SUPPORT, "privacy": PRIVACY, "privacy2": PRIVACY, "auditor": AUDITOR}
CONNECTED = ("alice", "bob")
NAMES = (*CONNECTED, *STAFF, "admin")


def create_demo_accounts() -> dict[str, User]:
    """Create what is missing; name -> account. Raises ImproperlyConfigured outside the demo and the tests."""
    if not (settings.DEMO or settings.TESTING):
        raise ImproperlyConfigured("Demo accounts have a public password; they are created in demo mode only.")
    make_groups()
    return {name: _account(name) for name in NAMES}


def _account(name: str) -> User:
    address = f"{name}@example.com"
    user = User.objects.filter(email=address).first()
    if user is None:
        user = User.objects.create_user(address, PASSWORD, is_superuser=name == "admin")
    EmailAddress.objects.get_or_create(user=user, email=address, defaults={"verified": True, "primary": True})
    if name in STAFF:
        user.groups.add(Group.objects.get(name=STAFF[name]))
    if name in CONNECTED:
        mark_connected(user)
    return user
