"""Change somebody's address for them: announced to the old address, made three days later, and cancelled by one click.

Whoever talks an administrator into it cannot take an account over unnoticed.
"""

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, SYSTEM, Actor, record
from memoryportal.memory.scope import SubjectId

from . import letters, sessions
from .granting import ADMIN
from .models import User, normal_address
from .waiting import AddressChange

WAIT = timedelta(hours=72)
_SALT = "memoryportal.accounts.addresses"


class ChangeRefused(Exception):
    """The address stays as it is; the message is a sentence for the administrator."""


def ask(request: HttpRequest, admin: User, account: User, address: str, reason: str) -> AddressChange:
    """Announce a change to the old address. Raises ChangeRefused."""
    new = normal_address(address)
    if account.pk == admin.pk:
        raise ChangeRefused("Change your own address on your own page.")
    if _is_taken(new, account) or new == account.email:
        raise ChangeRefused("This address cannot be used: it is in use.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=account.pk)  # two at once wait here for each other
        if AddressChange.objects.filter(account=account).exists():
            raise ChangeRefused("A change of this account's address waits already: cancel that one first.")
        due = timezone.now() + WAIT
        made = AddressChange.objects.create(account=account, old=account.email, new=new, by=admin, due_at=due)
        path = reverse("accounts:cancel_address", args=[signing.dumps(made.pk, salt=_SALT)])
        when = f"{date_format(due, 'j F Y, H:i')} UTC"
        letters.write("address_asked", made.old, due=when, cancel=request.build_absolute_uri(path))
        _note(Action.ACCOUNT_CHANGED, Actor(str(admin.pk), ADMIN), account, "asked", reason)
        return made


def waiting(token: str) -> AddressChange | None:
    """The change that this link of a mail cancels, while it waits. None for every other token."""
    try:
        number = signing.loads(token, salt=_SALT, max_age=2 * WAIT)
    except signing.BadSignature:
        return None
    return AddressChange.objects.select_related("account").filter(pk=number).first()


def cancel(change: AddressChange, by: User | None = None) -> bool:
    """Do not change it. False when it was made or cancelled meanwhile."""
    with transaction.atomic():
        if not AddressChange.objects.filter(pk=change.pk).delete()[0]:
            return False
        _note(Action.ACCOUNT_CHANGED, Actor(str(by.pk), ADMIN) if by else NOBODY, change.account, "cancelled")
    return True


def due() -> list[int]:
    return list(AddressChange.objects.filter(due_at__lte=timezone.now()).values_list("pk", flat=True))


def apply(change_id: int) -> bool:
    """Make a change that is due. False when there is none, or when the address was changed or taken meanwhile.

    The new address counts as unconfirmed: nobody signs in before they have followed a link in a mail to it.
    """
    with transaction.atomic():
        found = AddressChange.objects.select_for_update().filter(pk=change_id, due_at__lte=timezone.now()).first()
        if found is None:
            return False
        account = User.objects.select_for_update().get(pk=found.account_id)
        found.delete()
        if account.email != found.old or _is_taken(found.new, account):
            _note(Action.ACCOUNT_CHANGED, SYSTEM, account, "overtaken")
            return False
        _move(account, found.new)
        for address in (found.old, found.new):
            letters.write("address_changed", address)
        _note(Action.ADDRESS_CHANGED, SYSTEM, account, "made")
    return True


def _move(account: User, address: str) -> None:
    account.email = address
    account.save(update_fields=["email"])
    EmailAddress.objects.filter(user=account).delete()
    EmailAddress.objects.create(user=account, email=address, primary=True, verified=False)
    sessions.end_all(account)


def _is_taken(address: str, account: User) -> bool:
    users = User.objects.filter(Q(email=address) | Q(emailaddress__email__iexact=address))
    return users.exclude(pk=account.pk).exists()


def _note(action: Action, actor: Actor, account: User, state: str, reason: str = "") -> None:
    details = {"fields": ["address"], "state": state, "target": account.pk}
    subject, about = SubjectId(account.subject), f"account:{account.pk}"
    record(action, actor=actor, subject=subject, object=about, reason=reason, details=details)
