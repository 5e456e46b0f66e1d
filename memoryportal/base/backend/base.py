"""Django's PostgreSQL engine on connections that give up by themselves, and with errors that repeat no stored text."""

from types import TracebackType
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from memoryportal.base.deadline import DeadlineConnection

# Data exceptions and violated constraints: PostgreSQL's own sentence repeats the value that was refused.
_REPEATS_VALUES = ("22", "23")


def describe(error: psycopg.Error) -> str:
    """What went wrong in names and codes. DETAIL, HINT and CONTEXT ("Failing row contains …") are left out."""
    state = error.sqlstate
    if not state:
        return " ".join(str(error).split())
    if not state.startswith(_REPEATS_VALUES):
        return str(error.diag.message_primary or type(error).__name__)
    places = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
    where = ".".join(place for place in places if place)
    return f"{type(error).__name__} ({state})" + (f" on {where}" if where else "")


class ContentFreeErrors(DatabaseErrorWrapper):
    """Shortens the driver's error before Django copies it, so that neither of the two carries text of a row."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(exc_value, psycopg.Error):
            exc_value.args = (describe(exc_value),)
        super().__exit__(exc_type, exc_value, traceback)


class PatientConnection(DeadlineConnection):
    """For migrations and other work on the schema, which may rightly take long."""

    deadline = None  # type: ignore[assignment]


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params.pop("patient", None)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        patient = self.settings_dict["OPTIONS"].get("patient", False)
        return (PatientConnection if patient else DeadlineConnection).connect(**conn_params)

    @cached_property
    def wrap_database_errors(self) -> ContentFreeErrors:
        return ContentFreeErrors(self)
