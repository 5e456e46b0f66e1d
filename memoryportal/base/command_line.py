"""The command line: a database for commands that need one, and trouble in one sentence instead of a traceback."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from .databases import data_dir_of, embedded_wanted
from .embedded import EmbeddedFailed, EmbeddedPostgres
from .environment import clear_live_settings, cleared_line
from .guard import HOUSE
from .roles import PreparationFailed
from .sentences import sentence_for

# `demo` starts its own server; `prepare_database` is told an address.
NO_DATABASE = frozenset(
    (
        *("help", "version", "check", "diffsettings", "sendtestemail", "demo", "prepare_database", "verify_receipt"),
        *("makemigrations", "makemessages", "compilemessages", "collectstatic", "findstatic"),
        *("startapp", "startproject"),
    )
)


def execute(argv: Sequence[str]) -> None:
    """Run one manage.py command line."""
    if command_of(argv) == "demo":
        prepare_demo_environment()
    # makemigrations compares files; without a database it says so in a warning that frightens people.
    warnings.filterwarnings("ignore", message="Got an error checking a consistent migration history")
    with one_sentence(traceback="--traceback" in argv), server_for(argv):
        execute_from_command_line(list(argv))


def command_of(argv: Sequence[str]) -> str:
    """The command's name; `help` for none and for every request for help."""
    if len(argv) < 2 or argv[1].startswith("-") or not {"-h", "--help", "--version"}.isdisjoint(argv):
        return "help"
    return argv[1]


def needs_database(argv: Sequence[str]) -> bool:
    command = command_of(argv)
    return command not in NO_DATABASE or (command == "check" and any(a.startswith("--database") for a in argv))


@contextmanager
def server_for(argv: Sequence[str]) -> Iterator[None]:
    """The embedded server for the length of the command, where one is needed and no other database is configured.

    A command that was started by such a command (a demo's step, a reloader's child) uses that one's server.
    """
    if not needs_database(argv) or not embedded_wanted(os.environ) or HOUSE in os.environ:
        yield
        return
    with EmbeddedPostgres(data_dir_of(os.environ)) as server:
        os.environ.update(server.child_environment())
        yield


def prepare_demo_environment() -> None:
    """Before the settings are read: a demo knows nothing of live databases, stores and providers."""
    if line := cleared_line(clear_live_settings(os.environ)):
        sys.stderr.write(f"{line}\n")
    os.environ["MEMORYPORTAL_DEMO"] = "1"


@contextmanager
def one_sentence(traceback: bool = False) -> Iterator[None]:
    """Turn expected trouble into one line on standard error and exit status 1. Everything else keeps its traceback."""
    try:
        yield
    except (ImproperlyConfigured, EmbeddedFailed, PreparationFailed) as error:
        if traceback:
            raise
        sys.exit(f"{error}")
    except Exception as error:
        sentence = sentence_for(error)
        # The memory room's errors carry the status that a page would have; their text is written for people.
        if sentence is None and getattr(error, "status_code", None) == 503:
            sentence = str(error)
        if traceback or sentence is None:
            raise
        sys.exit(sentence)
