"""Sign-in by allauth. A request's account is loaded with its links, in one statement: every page needs both."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from .models import SubjectLink, User


class AccountBackend(AuthenticationBackend):
    """allauth's, with `user.linked`: the account's links in order, as dictionaries of pk, subject, issuer,
    proof, created_at.
    """

    def get_user(self, user_id: Any) -> User | None:
        links = SubjectLink.objects.filter(account=OuterRef("pk")).values(
            link=JSONObject(pk="pk", subject="subject", issuer="issuer", proof="proof", created_at="created_at")
        )
        user: User | None = User.objects.annotate(linked=ArraySubquery(links)).filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
