"""What `manage.py check --deploy` says about an installation that people shall trust. Also run at every start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .databases import runs_as_owner
from .installation import OWNS_TABLES, login_with_too_many_rights

_RESPONSIBLE = {
    "CONTROLLER_NAME": "who is responsible for their data",
    "PRIVACY_CONTACT": "whom to write to",
    "COMPLAINT_URL": "where to complain",
}


@register(Tags.security, deploy=True)
def people_are_told_who_is_responsible(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"{name} is not set: people must be told {why}.", id=f"memoryportal.E00{number}")
        for number, (name, why) in enumerate(_RESPONSIBLE.items(), start=1)
        if not getattr(settings, name)
    ]


@register(Tags.security, deploy=True)
def production_is_meant(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.PRODUCTION:
        found.append(Error("DEBUG, demo or test mode is on.", hint="Unset DEBUG.", id="memoryportal.E004"))
    if "change-me" in settings.SECRET_KEY:
        found.append(Error("SECRET_KEY is the one of .env.example.", id="memoryportal.E005"))
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        hint = "Set EMAIL_URL: people cannot confirm their address or reset their password."
        found.append(Warning("Mail is printed, not sent.", hint=hint, id="memoryportal.W006"))
    return found


@register(Tags.security, deploy=True)
def logins_are_separate(**_: Any) -> list[CheckMessage]:
    addresses = settings.ADDRESSES
    found: list[CheckMessage] = []
    if addresses.owner == addresses.app:
        hint = "manage.py prepare_database makes a login of its own for changes of the schema."
        found.append(Warning("DATABASE_OWNER_URL is not set.", hint=hint, id="memoryportal.W007"))
    if addresses.scoped == addresses.app and not settings.MEM0_CONFIG:
        hint = "manage.py prepare_database makes a login of its own for the memory store."
        found.append(Warning("MEMORY_DATABASE_URL is not set.", hint=hint, id="memoryportal.W008"))
    return found


@register(Tags.database, deploy=True)
def running_login_owns_nothing(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """With `check --deploy --database default`; the start of the web process asks the same."""
    import sys

    if not databases or runs_as_owner(sys.argv):
        return []
    login = login_with_too_many_rights()
    return [Error(OWNS_TABLES.format(login), id="memoryportal.E009")] if login else []
