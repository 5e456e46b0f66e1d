import secrets
from typing import Any
from urllib.parse import quote

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg.conninfo import conninfo_to_dict

from memoryportal.base.names import APP, DATABASE, OWNER, SCOPED
from memoryportal.base.roles import PreparationFailed, existing_logins, prepare_database

VARIABLES = {APP: "DATABASE_URL", OWNER: "DATABASE_OWNER_URL", SCOPED: "MEMORY_DATABASE_URL"}


class Command(BaseCommand):
    help = (
        "Make the three logins, the database and the vector extension on your own PostgreSQL server. "
        "Prints the addresses, with new passwords, of the logins that it made: keep them where you keep secrets."
    )
    requires_system_checks: list[str] = []  # there is nothing to check yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--superuser-url", required=True, help="postgresql://… of a superuser of that server")
        parser.add_argument("--name", default=DATABASE, help="the database's name")
        parser.add_argument("--new-passwords", action="store_true", help="also for logins that exist already")

    def handle(self, *args: Any, superuser_url: str, name: str, new_passwords: bool, **options: Any) -> None:
        try:
            kept = set() if new_passwords else existing_logins(superuser_url)
            passwords = {login: secrets.token_urlsafe(24) for login in VARIABLES if login not in kept}
            done = prepare_database(superuser_url, name, passwords)
        except PreparationFailed as error:
            raise CommandError(str(error)) from None
        except psycopg.ProgrammingError:  # an unreadable address; it may hold a password, so it is not repeated
            raise CommandError(
                "--superuser-url is not a valid PostgreSQL address, or that login may not do this."
            ) from None
        self.stderr.write("".join(f"  made: {what}\n" for what in done) or "  everything was in place\n")
        for login, password in passwords.items():
            self.stdout.write(f"{VARIABLES[login]}={_address(superuser_url, name, login, password)}")


def _address(superuser_url: str, name: str, login: str, password: str) -> str:
    parts = conninfo_to_dict(superuser_url)
    host, port = str(parts.get("host") or ""), str(parts.get("port") or "")
    if host.startswith("/"):  # a socket's folder
        return f"postgresql://{login}:{password}@/{name}?host={quote(host, safe='/')}" + (
            f"&port={port}" if port else ""
        )
    return f"postgresql://{login}:{password}@{host}{':' + port if port else ''}/{name}" + _ssl(parts)


def _ssl(parts: dict[str, Any]) -> str:
    return f"?sslmode={parts['sslmode']}" if parts.get("sslmode") else ""
