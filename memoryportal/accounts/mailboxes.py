"""What the mail to an address that nobody has confirmed yet may do, and what not.

Whoever types an address may have mistyped it, or it is somebody else's. So the link that confirms it works only in a
browser that shows, beside the mailbox, the account's own sign-in; nobody chooses a new password by way of an address
that only waits; and who does so for an account that nobody has ever been in finds no sign-in of somebody else there.
"""

from allauth.account.internal.stagekit import unstash_login
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.http import HttpRequest

from . import links
from .models import Proof, SubjectLink, User, normal_address

UNUSED = "the password was chosen by mail before anybody had signed in"


def is_signing_in(request: HttpRequest, account_id: int) -> bool:
    """Whether this browser is signed in to the account, or has just shown how one signs in to it."""
    if request.user.is_authenticated:
        return bool(request.user.pk == account_id)
    login = unstash_login(request, peek=True)
    return login is not None and login.user is not None and bool(login.user.pk == account_id)


def may_choose_password(account: User, address: str) -> bool:
    """Whether whoever reads the mail of this address may choose the account's password."""
    confirmed = EmailAddress.objects.filter(user=account, verified=True)
    if not confirmed.exists():
        return account.email == normal_address(address)
    return bool(confirmed.filter(email=normal_address(address)).exists())


def drop_former_sign_ins(account: User) -> None:
    """Take away a provider's sign-in, and the ids that came with it, from an account that nobody has ever been in:
    nobody knows whose they are. In a transaction.

    Other ids stay. The host's redirect connects one for somebody who is signed in, so such an account has none of it;
    the operator and two of privacy have looked whose an id is, and connected it for whoever reads this address.
    """
    if account.last_login is not None or EmailAddress.objects.filter(user=account, verified=True).exists():
        return
    for link in SubjectLink.objects.filter(account=account, proof=Proof.OIDC):
        links.remove(link, by=account, reason=UNUSED)
    for sign_in in SocialAccount.objects.filter(user=account):
        sign_in.delete()


def free(address: str) -> None:
    """Let whoever signs up with an address have it, although it waits at another account to be confirmed: nobody keeps
    somebody else out by typing their address. What that account has confirmed stays.
    """
    waiting = EmailAddress.objects.filter(email=normal_address(address), verified=False)
    waiting.exclude(user__email=normal_address(address)).delete()
