from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.accounts.models import User
from memoryportal.agent import keys
from memoryportal.agent.models import RIGHTS
from memoryportal.audit.record import AuditUnavailable


class Command(BaseCommand):
    help = "Make a service key for a host's back end. It is printed once; only a hash of it is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what it is for, such as the name of the back end")
        parser.add_argument("--agents", nargs="+", default=[], help="assistants that it may act for (default: any)")
        parser.add_argument("--rights", nargs="+", choices=RIGHTS, default=list(keys.DEFAULT_RIGHTS))
        parser.add_argument("--networks", nargs="+", default=[], help="where it may be used from, such as 192.0.2.0/24")
        parser.add_argument("--subjects-per-hour", type=int, default=1000, help="different people in one hour")
        parser.add_argument("--by", default="", help="e-mail address of the administrator who asked for it")

    def handle(self, name: str, **options: Any) -> None:
        may = keys.May(options["agents"], options["rights"], options["networks"], options["subjects_per_hour"])
        try:
            by = User.objects.get_by_natural_key(options["by"]) if options["by"] else None
            key, secret = keys.make(name, may, by)
        except User.DoesNotExist:
            raise CommandError("There is no account with this e-mail address. Nothing was made.") from None
        except (ValueError, AuditUnavailable) as error:
            raise CommandError(f"{error}. Nothing was made.") from None
        self.stderr.write(f"Service key {key.prefix}. Keep it with your back end's secrets; nobody can show it again:")
        self.stdout.write(secret)
