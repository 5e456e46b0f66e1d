"""Give roles and take them away: one administrator asks, another one approves, and all of them are told by mail."""

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.memory.scope import SubjectId

from . import letters
from .models import User
from .roles import ROLES
from .staff import pseudonym_of_staff
from .waiting import RoleAsk

ADMINISTRATOR = "administrator"  # is_superuser: accounts and roles, and no memory
GRANTABLE = (*ROLES, ADMINISTRATOR)
ADMIN = "admin"  # the role of whoever acts here, in the trail


class RoleRefused(Exception):
    """The roles are as they were; the message is a sentence for the administrator."""


def held(account: User) -> list[str]:
    """The roles that this account holds now, in the order of GRANTABLE."""
    names = {group.name for group in account.groups.all()} | ({ADMINISTRATOR} if account.is_superuser else set())
    return [role for role in GRANTABLE if role in names]


def ask(admin: User, account: User, role: str, reason: str) -> RoleAsk:
    """Ask for a role to be granted. Raises RoleRefused."""
    if role not in GRANTABLE or not account.is_active:
        raise RoleRefused("This role cannot be granted to this account.")
    if role in held(account):
        raise RoleRefused("This account holds the role already.")
    try:
        with transaction.atomic():
            made = RoleAsk.objects.create(account=account, role=role, reason=reason, by=admin)
            _tell(Action.ROLE_ASKED, admin, account, role)
            _note(Action.ROLE_ASKED, admin, account, role, reason)
            return made
    except IntegrityError:
        raise RoleRefused("Somebody has asked for this already.") from None


def approve(admin: User, ask_id: int) -> None:
    """Grant the role that another administrator asked for. Raises RoleRefused."""
    with transaction.atomic():
        waiting = _waiting(ask_id)
        if objection := _objection(admin, waiting):
            raise RoleRefused(objection)
        _set(waiting.account, waiting.role, True)
        waiting.delete()
        _tell(Action.ROLE_GRANTED, admin, waiting.account, waiting.role)
        _note(Action.ROLE_GRANTED, admin, waiting.account, waiting.role, waiting.reason)


def _objection(admin: User, waiting: RoleAsk) -> str:
    if admin.pk in (waiting.by_id, waiting.account_id):
        return "Another administrator has to approve this, and not for their own account."
    if not (waiting.by.is_superuser and waiting.by.is_active):
        return "Whoever asked for this is no administrator any more: ask for it yourself."
    if not waiting.account.is_active:
        return "This account may not sign in."
    return "" if waiting.is_open else "This was asked for too long ago: ask for it again."


def drop(admin: User, ask_id: int) -> None:
    """Do not grant it. Raises RoleRefused when somebody has decided it already."""
    with transaction.atomic():
        waiting = _waiting(ask_id)
        waiting.delete()
        _note(Action.ROLE_REFUSED, admin, waiting.account, waiting.role, "")


def revoke(admin: User, account: User, role: str) -> None:
    """Take a role away, at once: it is gone at the account's next request. Raises RoleRefused."""
    with transaction.atomic():
        last = is_last_administrator(account)
        account.refresh_from_db()
        if role not in held(account):
            raise RoleRefused("This account does not hold the role.")
        if role == ADMINISTRATOR and last:
            raise RoleRefused("This is the last administrator: nobody could give the role back.")
        _tell(Action.ROLE_REVOKED, admin, account, role)  # before: whoever is no administrator any more is told as well
        _set(account, role, False)
        _note(Action.ROLE_REVOKED, admin, account, role, "")


def is_last_administrator(account: User) -> bool:
    """Whether nobody would be left without this account. In a transaction: two who shut each other out wait here."""
    administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    return list(administrators.order_by("pk")) == [account]


def _waiting(ask_id: int) -> RoleAsk:
    found = RoleAsk.objects.select_for_update(of=("self",)).select_related("account", "by").filter(pk=ask_id).first()
    if found is None:
        raise RoleRefused("Somebody has decided this already.")
    return found


def _set(account: User, role: str, on: bool) -> None:
    if role == ADMINISTRATOR:
        account.is_superuser = on
        account.save(update_fields=["is_superuser"])
    elif on:
        account.groups.add(Group.objects.get(name=role))
    else:
        account.groups.remove(Group.objects.get(name=role))


def _tell(action: Action, admin: User, account: User, role: str) -> None:
    kind = action.value.replace(".", "_")
    letters.write_to_administrators(kind, role=role, account=str(account.pk), by=pseudonym_of_staff(admin.pk))


def _note(action: Action, admin: User, account: User, role: str, reason: str) -> None:
    record(
        action,
        actor=Actor(str(admin.pk), ADMIN),
        subject=SubjectId(account.subject),
        object=f"account:{account.pk}",
        reason=reason,
        details={"role": role, "target": account.pk},
    )
