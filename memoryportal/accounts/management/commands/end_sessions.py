from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.accounts.models import User
from memoryportal.accounts.sessions import end_all
from memoryportal.accounts.trail import note_account
from memoryportal.audit.actions import Action
from memoryportal.audit.record import AuditUnavailable


class Command(BaseCommand):
    help = "End all sessions of an account, for example after a theft. The person can sign in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the account's e-mail address")

    def handle(self, email: str, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist:
            raise CommandError("There is no account with this e-mail address. Nothing was changed.") from None
        try:
            note_account(user, Action.SESSION_ENDED, kind="all")
        except AuditUnavailable as error:
            raise CommandError(f"{error}.") from None
        self.stdout.write(f"Ended {end_all(user)} session(s).")
