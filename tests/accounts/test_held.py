import pytest
from django.apps import apps
from django.db import connection

from memoryportal.accounts.held import EXEMPT
from memoryportal.memory.places import covered_columns

ROOMS = ("accounts", "account", "mfa", "socialaccount", "usersessions", "sessions", "auth")
TEXT_TYPES = {"text", "character varying", "jsonb", "json", "inet", "ARRAY", "bytea"}


def tables() -> set[str]:
    found = {model._meta.db_table for label in ROOMS for model in apps.get_app_config(label).get_models(True)}
    return {table for table in found if table in connection.introspection.table_names()}


def columns_about_people() -> set[str]:
    """`table.column` of these rooms, as the database has them, that hold text or point to an account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name = ANY(%s)",
            [sorted(tables())],
        )
        rows = cursor.fetchall()
    accounts = {"user_id", "account_id", "by_id"}
    return {
        f"{table}.{column}"
        for table, column, kind in rows
        if kind in TEXT_TYPES or (column in accounts and not table.startswith("socialaccount_socialtoken"))
    }


@pytest.mark.django_db
def test_every_column_about_people_is_spoken_of() -> None:
    assert columns_about_people() - covered_columns("memories") == set()


@pytest.mark.django_db
def test_nothing_is_spoken_of_that_does_not_exist() -> None:
    assert set(EXEMPT) - columns_about_people() == set()
