from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.accounts.links import link, unlink
from memoryportal.accounts.models import User
from memoryportal.audit.record import AuditUnavailable
from memoryportal.memory.scope import SubjectId


class Command(BaseCommand):
    help = "Let an account see what an assistant stores under an id of its own. Check first whose id it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the account's e-mail address")
        parser.add_argument("subject", help="the id (mem0's user_id) that the assistant uses")
        parser.add_argument(
            "--reason", default="", help="why, and how you know that the id is theirs (required to link)"
        )
        parser.add_argument("--issuer", default="", help="which system gave out the id")
        parser.add_argument(
            "--remove", action="store_true", help="take the link away; the memories stay where they are"
        )

    def handle(self, email: str, subject: str, **options: Any) -> None:
        try:
            account = User.objects.get_by_natural_key(email)
            wanted = SubjectId(subject)
            done = self._remove(account, wanted, options) if options["remove"] else self._link(account, wanted, options)
        except User.DoesNotExist:
            raise CommandError("There is no account with this e-mail address. Nothing was changed.") from None
        except AuditUnavailable as error:
            raise CommandError(f"{error}.") from None
        except ValueError as error:  # InvalidSubject, SubjectTaken
            raise CommandError(f"{error}. Nothing was changed.") from None
        self.stdout.write(done)

    def _link(self, account: User, subject: SubjectId, options: dict[str, Any]) -> str:
        if not options["reason"].strip():
            raise CommandError("--reason is required. Nothing was changed.")
        link(account, subject, reason=options["reason"].strip(), issuer=options["issuer"].strip())
        return "Linked. The account shows the memories of this id from its next page on."

    def _remove(self, account: User, subject: SubjectId, options: dict[str, Any]) -> str:
        if not unlink(account, subject, options["reason"].strip()):
            raise CommandError("This account has no such link. Nothing was changed.")
        return "Removed. The account no longer shows the memories of this id; none was deleted."
