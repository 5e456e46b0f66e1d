"""Where the attacks take place: on each store a plain mem0 and, on rows of its own, the portal."""

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from memoryportal.memory import pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import close_all
from tests.memory.model_server import ModelServer
from tests.platform.server import Platform
from tests.proxy import Proxy
from tests.stores.registry import mem0_config
from tests.stores.valkey_server import Server, running

from .plain import Down, Plain, hosted, library


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal is on the store; `down` makes the store fail for a while. `beside` adds a row without the portal."""

    down: Down
    beside: Callable[[str, str], None] | None


@dataclass(frozen=True, slots=True)
class Ground:
    """One column of the table."""

    name: str
    stand_in: bool
    plain: Callable[[Path, ModelServer], AbstractContextManager[Plain]]
    portal: Callable[[Path], AbstractContextManager[Portal]]

    @property
    def title(self) -> str:
        return f"{self.name} (stand-in)" if self.stand_in else self.name


def _config(folder: Path, models: ModelServer, provider: str, **config: Any) -> dict[str, Any]:
    """mem0's configuration as applications write it."""
    behind = json.loads(models.mem0_config())
    block = {"collection_name": f"plain_{uuid.uuid4().hex[:8]}", "embedding_model_dims": 256, **config}
    return {
        **behind,
        "vector_store": {"provider": provider, "config": block},
        "history_db_path": str(folder / "history.db"),
    }


# --- pgvector --------------------------------------------------------------------------------------------------------


def _server() -> Path:
    return Path(str(conninfo_to_dict(configuration().owner_dsn)["host"])) / ".s.PGSQL.5432"


def _refusing(proxy: Proxy, afterwards: Callable[[], object] = lambda: None) -> Down:
    @contextmanager
    def down() -> Iterator[None]:
        proxy.refuse()
        try:
            yield
        finally:
            proxy.forward()
            afterwards()

    return down


def _until_it_works(pool: Any) -> None:
    """mem0's pool hands out connections that are cut; its next users are not what an attack is about."""
    for _ in range(100):
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            pool.check()
            with pool.connection() as connection:
                connection.execute("SELECT 1")
            return
        time.sleep(0.05)


@contextmanager
def _plain_pgvector(folder: Path, models: ModelServer) -> Iterator[Plain]:
    owner = configuration().owner_dsn
    with Proxy(_server()) as proxy:
        config = _config(folder, models, "pgvector", connection_string=proxy.dsn(owner), hnsw=False)
        name = config["vector_store"]["config"]["collection_name"]

        def patience(memory: Any) -> Down:
            pool = memory.vector_store.connection_pool
            pool.timeout = 0.5  # mem0's own is 30 seconds
            return _refusing(proxy, lambda: _until_it_works(pool))

        with library(config, patience) as plain:
            yield plain
            plain.mem0.vector_store.connection_pool.close()
    with psycopg.connect(owner, autocommit=True) as connection:
        for table in (name, f"{name}_entities", f"{name}_migrations"):
            connection.execute(psycopg.sql.SQL("DROP TABLE IF EXISTS {}").format(psycopg.sql.Identifier(table)))


@contextmanager
def _portal_pgvector(folder: Path) -> Iterator[Portal]:
    owner = configuration().owner_dsn

    def beside(user: str, text: str) -> None:
        """As an application that connects as the tables' owner."""
        with psycopg.connect(owner, autocommit=True) as connection:
            payload = json.dumps({"user_id": user, "data": text})
            connection.execute("INSERT INTO memories (id, payload) VALUES (gen_random_uuid(), %s)", (payload,))

    with Proxy(_server()) as proxy, override_settings(MEMORY_DATABASE_URL=proxy.dsn(configuration().dsn)):
        yield Portal(_refusing(proxy), beside)
        pool.close_all()


# --- Qdrant ----------------------------------------------------------------------------------------------------------


def _without(folder: Path) -> Down:
    @contextmanager
    def down() -> Iterator[None]:
        shutil.move(folder, f"{folder}-away")
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(f"{folder}-away", folder)

    return down


@contextmanager
def _plain_qdrant(folder: Path, models: ModelServer) -> Iterator[Plain]:
    path = folder / "plain"
    with library(_config(folder, models, "qdrant", path=str(path), on_disk=True), lambda _: _without(path)) as plain:
        yield plain
        plain.mem0.vector_store.client.close()


@contextmanager
def _portal_qdrant(folder: Path) -> Iterator[Portal]:
    path = folder / "portal"
    with override_settings(**mem0_config("qdrant", path=str(path))):
        prepare_store()
        yield Portal(_without(path), None)  # one process: there is no other program
        close_all()


# --- Valkey ----------------------------------------------------------------------------------------------------------


def _losing(server: Server) -> Down:
    @contextmanager
    def down() -> Iterator[None]:
        server.lose_at = ("FT.SEARCH", 1)
        try:
            yield
        finally:
            server.lose_at = None

    return down


@contextmanager
def _plain_valkey(folder: Path, models: ModelServer) -> Iterator[Plain]:
    with running(Server()) as server:
        with library(_config(folder, models, "valkey", valkey_url=server.url), lambda _: _losing(server)) as plain:
            yield plain


@contextmanager
def _portal_valkey(folder: Path) -> Iterator[Portal]:
    with running(Server()) as server, override_settings(**mem0_config("valkey", valkey_url=server.url)):
        prepare_store()
        from tests.stores.valkey_rig import plain_mem0, remember_plainly

        plain = plain_mem0(server)
        yield Portal(_losing(server), lambda user, text: [remember_plainly(plain, user, text)].clear())
        close_all()


# --- the hosted Platform ---------------------------------------------------------------------------------------------


def _failing(platform: Platform) -> Down:
    @contextmanager
    def down() -> Iterator[None]:
        platform.fail("/", 500, times=10_000)
        try:
            yield
        finally:
            platform._faults.clear()

    return down


@contextmanager
def _plain_platform(folder: Path, models: ModelServer) -> Iterator[Plain]:
    with Platform() as platform, hosted(platform.key, platform.url, _failing(platform)) as plain:
        yield plain


@contextmanager
def _portal_platform(folder: Path) -> Iterator[Portal]:
    with Platform() as platform, override_settings(MEM0_CONFIG="", MEM0_API_KEY=platform.key, MEM0_HOST=platform.url):
        prepare_store()
        yield Portal(_failing(platform), lambda user, text: [platform.state.store(memory=text, user_id=user)].clear())
        close_all()


GROUNDS = (
    Ground("PostgreSQL + pgvector", False, _plain_pgvector, _portal_pgvector),
    Ground("Qdrant, embedded", False, _plain_qdrant, _portal_qdrant),
    Ground("mem0's Platform", True, _plain_platform, _portal_platform),
    Ground("Valkey", True, _plain_valkey, _portal_valkey),
)
