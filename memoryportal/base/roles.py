"""The logins, the database and the extension that the portal needs. Run once per cluster, by a superuser.

Roles belong to the whole cluster, so no migration makes them: test databases that migrate side by side would collide.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from .names import APP, DATABASE, OWNER, SCOPED

LOGINS = (OWNER, APP, SCOPED)
_ONE_AT_A_TIME = 0x6D656D30  # advisory lock: two preparations at once would both see a role missing
_Connection = psycopg.Connection[Any]


class PreparationFailed(Exception):
    """The cluster cannot be prepared; the message is one sentence for the operator."""


def prepare_database(
    superuser_dsn: str,
    dbname: str = DATABASE,
    passwords: Mapping[str, str] | None = None,
    in_template: bool = False,
) -> list[str]:
    """Make what is missing of roles, database, extension and privileges; running it again changes nothing.

    `passwords` sets the passwords of the logins it names; without it logins have none, which only the embedded server's
    own socket accepts. `in_template` puts the extension into template1 too. Returns what was made, in words.
    """
    done: list[str] = []
    with psycopg.connect(superuser_dsn, autocommit=True, connect_timeout=5) as cluster:
        cluster.execute("SELECT pg_advisory_lock(%s)", (_ONE_AT_A_TIME,))
        done += _make_logins(cluster, passwords or {})
        if in_template:
            with _connect(superuser_dsn, "template1") as template:
                _make_extension(template)
        done += _make_database(cluster, dbname)
        with _connect(superuser_dsn, dbname) as database:
            done += _make_extension(database)
            with database.transaction():
                _grant(database, dbname)
    return done


def _connect(superuser_dsn: str, dbname: str) -> _Connection:
    return psycopg.connect(make_conninfo(superuser_dsn, dbname=dbname), autocommit=True, connect_timeout=5)


def existing_logins(superuser_dsn: str) -> set[str]:
    """Which of the three logins the cluster has already."""
    with psycopg.connect(superuser_dsn, autocommit=True, connect_timeout=5) as cluster:
        return _existing(cluster)


def _existing(cluster: _Connection) -> set[str]:
    rows = cluster.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(LOGINS)])
    return {str(row[0]) for row in rows}


def _make_logins(cluster: _Connection, passwords: Mapping[str, str]) -> list[str]:
    done = []
    existing = _existing(cluster)
    for login in LOGINS:
        if login not in existing:
            cluster.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(login)))
            done.append(f"login {login}")
        _limit(cluster, login)
        if login in passwords:
            _set_password(cluster, login, passwords[login])
    # A managed service's administrator is no superuser, and acts for the owner only as a member of it.
    if not _holds(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        cluster.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
    return done


def _limit(cluster: _Connection, login: str) -> None:
    """A login of this name that somebody made with more rights would be a hole in the wall."""
    too_much = "rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication OR NOT rolcanlogin"
    if _holds(cluster, f"SELECT {too_much} FROM pg_roles WHERE rolname = %s", login):
        limits = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"
        cluster.execute(sql.SQL(f"ALTER ROLE {{}} {limits}").format(sql.Identifier(login)))


def _holds(connection: _Connection, question: LiteralString, *values: str) -> bool:
    row = connection.execute(question, values or None).fetchone()
    return bool(row and row[0])


def _set_password(cluster: _Connection, login: str, password: str) -> None:
    # Hashed here: a password in the statement could end up in the server's log.
    verifier = cluster.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
    cluster.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier.decode("ascii")))
    )


def _make_database(cluster: _Connection, dbname: str) -> list[str]:
    if _holds(cluster, "SELECT true FROM pg_database WHERE datname = %s", dbname):
        return []
    statement = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE {}")
    utf8 = _holds(cluster, "SELECT pg_encoding_to_char(encoding) = 'UTF8' FROM pg_database WHERE datname = 'template1'")
    template = "template1" if utf8 else "template0"
    cluster.execute(statement.format(sql.Identifier(dbname), sql.Identifier(OWNER), sql.Identifier(template)))
    return [f"database {dbname}"]


def _make_extension(database: _Connection) -> list[str]:
    if _holds(database, "SELECT true FROM pg_extension WHERE extname = 'vector'"):
        return []
    try:
        database.execute("CREATE EXTENSION vector")
    except psycopg.errors.InsufficientPrivilege:
        raise PreparationFailed("This login may not create the extension vector: use a superuser's address.") from None
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        raise PreparationFailed(
            "The extension vector is not installed on this PostgreSQL server: install pgvector there first."
        ) from None
    return [f"extension vector in {database.info.dbname}"]


def _grant(database: _Connection, dbname: str) -> None:
    """Who may do what by default: the app reads and writes rows, `scoped` nothing until the memory room says so."""
    names = {
        "db": sql.Identifier(dbname),
        "owner": sql.Identifier(OWNER),
        "app": sql.Identifier(APP),
        "scoped": sql.Identifier(SCOPED),
    }
    for statement in (
        "REVOKE ALL ON DATABASE {db} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {db} TO {app}, {scoped}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE, CREATE ON SCHEMA public TO {owner}",
        "GRANT USAGE ON SCHEMA public TO {app}, {scoped}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE, SELECT ON SEQUENCES TO {app}",
    ):
        database.execute(sql.SQL(statement).format(**names))
