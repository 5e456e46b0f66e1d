"""What the account tables hold, and why erasing all memories leaves it: the account goes on (memory/places.py)."""

_LOGIN = "part of how the person signs in; goes with the account"
_SESSION = "shows the person where they are signed in; goes with the session"
_LINK = "connects the account to an assistant's id; without it the person could not see that nothing is left"
_WHOSE = "whose row this is; the account outlives an erasure of memories"
_NOT_PERSONAL = "names roles and rights, not people"

EXEMPT = {
    "accounts_user.password": "a salted hash; goes with the account",
    "accounts_user.email": _LOGIN,
    "accounts_user.subject": "the id under which assistants may store again, if the person lets them",
    "accounts_user.time_zone": "how times are shown",
    "accounts_user_groups.user_id": _WHOSE,
    "accounts_user_user_permissions.user_id": _WHOSE,
    "accounts_subjectlink.account_id": _WHOSE,
    "accounts_subjectlink.by_id": "who made the link",
    "accounts_subjectlink.subject": _LINK,
    "accounts_subjectlink.issuer": _LINK,
    "accounts_subjectlink.proof": _LINK,
    "accounts_subjectlink.reason": _LINK,
    "account_emailaddress.email": _LOGIN,
    "account_emailaddress.user_id": _WHOSE,
    "account_emailconfirmation.key": _LOGIN,
    "mfa_authenticator.type": _LOGIN,
    "mfa_authenticator.data": f"encrypted seeds and public keys; {_LOGIN}",
    "mfa_authenticator.user_id": _WHOSE,
    "socialaccount_socialaccount.provider": _LOGIN,
    "socialaccount_socialaccount.uid": _LOGIN,
    "socialaccount_socialaccount.extra_data": _LOGIN,
    "socialaccount_socialaccount.user_id": _WHOSE,
    "socialaccount_socialtoken.token": _LOGIN,
    "socialaccount_socialtoken.token_secret": _LOGIN,
    "socialaccount_socialapp.provider": _NOT_PERSONAL,
    "socialaccount_socialapp.provider_id": _NOT_PERSONAL,
    "socialaccount_socialapp.name": _NOT_PERSONAL,
    "socialaccount_socialapp.client_id": _NOT_PERSONAL,
    "socialaccount_socialapp.secret": _NOT_PERSONAL,
    "socialaccount_socialapp.key": _NOT_PERSONAL,
    "socialaccount_socialapp.settings": _NOT_PERSONAL,
    "usersessions_usersession.ip": _SESSION,
    "usersessions_usersession.session_key": _SESSION,
    "usersessions_usersession.user_agent": _SESSION,
    "usersessions_usersession.data": _SESSION,
    "usersessions_usersession.user_id": _WHOSE,
    "django_session.session_key": _SESSION,
    "django_session.session_data": f"who is signed in and which of their ids is shown, no text; {_SESSION}",
    "auth_group.name": _NOT_PERSONAL,
    "auth_permission.name": _NOT_PERSONAL,
    "auth_permission.codename": _NOT_PERSONAL,
}
