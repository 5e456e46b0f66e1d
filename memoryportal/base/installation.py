"""May the portal run on this database, as this login? Asked once, when a process begins to serve."""

import logging

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

from .models import Installation

logger = logging.getLogger(__name__)
_answer_pending = False
_schema_seen = False

IS_A_DEMO = (
    "This database was made by the demo, whose passwords are public: use another DATA_DIR or DATABASE_URL, "
    "or start it with `make demo`."
)
IS_NO_DEMO = "This database was not made by the demo: give the demo a DATA_DIR of its own."
DEMO_IS_EMBEDDED = "The demo runs on its own embedded database only: unset DATABASE_URL, MEM0_CONFIG and MEM0_API_KEY."
OWNS_TABLES = (
    "The running login {} owns tables or is a superuser, so that the database's own rules do not bind it: "
    "let DATABASE_URL name the app's login and DATABASE_OWNER_URL the owner's (manage.py prepare_database makes both)."
)


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured where the portal must not serve. A database that does not answer leaves it open.

    An open question is asked again by `settle_start`, before anything else is answered.
    """
    global _answer_pending
    try:
        _refuse()
        _answer_pending = False
    except (OperationalError, InterfaceError):
        logger.warning("the database does not answer yet: its mark is read before the first page")
        _answer_pending = True


def settle_start() -> None:
    """Ask again if the start could not. Raises what the question raises, OperationalError included."""
    global _answer_pending
    if _answer_pending:
        _refuse()
        _answer_pending = False


def _refuse() -> None:
    refuse_foreign_demo()
    if settings.PRODUCTION and (login := login_with_too_many_rights()):
        raise ImproperlyConfigured(OWNS_TABLES.format(login))


def refuse_foreign_demo() -> None:
    """A demo's database is for the demo only, and the demo for nothing else. Raises ImproperlyConfigured."""
    try:
        marked = Installation.objects.filter(demo=True).exists()
    except ProgrammingError:
        raise ImproperlyConfigured("The database has no tables yet: run manage.py migrate.") from None
    if settings.DEMO and not (settings.ADDRESSES.embedded and not settings.MEM0_CONFIG and not settings.MEM0_API_KEY):
        raise ImproperlyConfigured(DEMO_IS_EMBEDDED)
    if marked and not settings.DEMO:
        raise ImproperlyConfigured(IS_A_DEMO)
    if settings.DEMO and not marked:
        raise ImproperlyConfigured(IS_NO_DEMO)


def login_with_too_many_rights() -> str | None:
    """The running login's name if it owns a table, is a superuser or may bypass row security; else None."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls OR EXISTS ("
            " SELECT FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'p') AND n.nspname = 'public' AND pg_has_role(current_user, relowner, 'MEMBER')))"
        )
        row = cursor.fetchone()
    return str(row[0]) if row else None


def schema_is_current() -> bool:
    """Whether every migration of this version has been applied. A good answer is remembered: readiness asks often."""
    global _schema_seen
    if not _schema_seen:
        executor = MigrationExecutor(connection)
        _schema_seen = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _schema_seen
