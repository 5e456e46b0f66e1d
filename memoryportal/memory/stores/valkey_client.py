"""Connections to a Valkey server: bounded in time, with every failure named.

valkey-py repeats commands with their arguments, memory text included, in the messages of its exceptions. So nothing of
them leaves this module: what is raised here carries our own sentences only.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import valkey
from valkey import exceptions as vk
from valkey.backoff import NoBackoff
from valkey.retry import Retry

from ..errors import MemoryChanged, NotConfirmed, StoreNotPrepared, StoreRefused, StoreUnavailable
from .confirming import note_write

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
MOST_CONNECTIONS = 20
PIPELINE = 500  # commands in one round trip
Command = tuple[Any, ...]

NO_MODULE = (
    "the Valkey server has no search module: memories can neither be listed nor searched there. "
    "Load valkey-search 1.2.1 or newer (loadmodule libsearch.so, or the image valkey/valkey-bundle)"
)
NO_INDEX = "the Valkey server has no index for this collection yet: run manage.py prepare_store"


def translate(error: vk.ValkeyError, *, writing: bool = False) -> StoreUnavailable | MemoryChanged:
    """Our error for the client's; never its text. A write whose answer never came may have happened, or may yet."""
    if isinstance(error, vk.WatchError) and "changed" in str(error):
        return MemoryChanged("the memory was changed meanwhile; nothing was written")
    if isinstance(error, vk.AuthenticationError | vk.AuthorizationError):
        return StoreUnavailable("the Valkey server refused the login")
    if isinstance(error, vk.ResponseError):
        return _refusal(error)
    # The client calls it a WatchError too when it loses the connection while a key is watched.
    lost = isinstance(error, vk.TimeoutError | vk.ConnectionError | vk.WatchError)
    if writing and lost and "connecting to" not in str(error):
        return NotConfirmed("the Valkey server was lost before it had confirmed the change")
    if isinstance(error, vk.TimeoutError):
        return StoreUnavailable("the Valkey server did not answer in time")
    return StoreUnavailable(f"the Valkey server could not be reached ({type(error).__name__})")


def _refusal(error: vk.ResponseError) -> StoreUnavailable:
    said = str(error).casefold()
    if "unknown command" in said and "ft." in said:
        return StoreUnavailable(NO_MODULE)
    if "index" in said and "not found" in said:
        return StoreNotPrepared(NO_INDEX)
    if isinstance(error, vk.NoPermissionError):
        return StoreUnavailable("the Valkey login may not do this")
    if isinstance(error, vk.OutOfMemoryError):
        return StoreUnavailable("the Valkey server is out of memory and takes no writes")
    if isinstance(error, vk.ReadOnlyError):
        return StoreUnavailable("the Valkey server is a replica and takes no writes")
    if "timeout" in said:
        return StoreUnavailable("the Valkey server gave up a search that took too long")
    return StoreUnavailable("the Valkey server refused a command")


@contextmanager
def named_errors(*, writing: bool = False) -> Iterator[None]:
    """Translate everything the client raises; `from None`, so that no text of a row travels in a traceback."""
    try:
        yield
    except vk.ValkeyError as error:
        raise translate(error, writing=writing) from None
    except (OSError, UnicodeError) as error:
        raise StoreUnavailable(f"the Valkey server could not be used ({type(error).__name__})") from None


class Server:
    """One Valkey server. Replies are bytes and nested lists, as RESP2 has them."""

    def __init__(self, url: str, *, pooled: bool = True) -> None:
        """Pooled, it connects on first use. StoreRefused for no address; timeouts in an address win over ours."""
        self._url = url
        self._client = self._connect(url, pooled=pooled)

    @staticmethod
    def _connect(url: str, *, pooled: bool) -> Any:
        options = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": READ_SECONDS,
            "retry": Retry(NoBackoff(), 0),  # a repeated command could count a deletion twice
            "protocol": 2,
        }
        try:
            if not pooled:
                return valkey.Valkey.from_url(url, single_connection_client=True, **options)
            pools: Any = valkey.BlockingConnectionPool
            pool = pools.from_url(url, max_connections=MOST_CONNECTIONS, timeout=CONNECT_SECONDS, **options)
        except ValueError:
            raise StoreRefused("MEM0_CONFIG has no usable valkey_url (valkey://, valkeys:// or unix://).") from None
        except vk.ValkeyError as error:  # a client of one connection connects at once
            raise translate(error) from None
        return valkey.Valkey(connection_pool=pool)

    @contextmanager
    def fresh(self) -> Iterator["Server"]:
        """The same server through a connection made for this one use: what verification reads with."""
        fresh = Server(self._url, pooled=False)
        try:
            yield fresh
        finally:
            fresh.close()

    def close(self) -> None:
        with named_errors():
            self._client.close()
            self._client.connection_pool.disconnect()

    def run(self, *command: Any) -> Any:
        """The reply to one command."""
        with named_errors():
            return self._client.execute_command(*command)

    def run_all(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these reading commands, in few round trips. The first one that fails raises."""
        replies: list[Any] = []
        for start in range(0, len(commands), PIPELINE):
            replies += self._execute(commands[start : start + PIPELINE], transaction=False)
        return replies

    def write(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands, which happen all or not at all. NotConfirmed when that is not known."""
        return self._execute(commands, transaction=True) if commands else []

    def _execute(self, commands: Sequence[Command], *, transaction: bool) -> list[Any]:
        with named_errors(writing=transaction), self._client.pipeline(transaction=transaction) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies = list(pipeline.execute())
        if transaction:
            note_write()
        return replies

    @contextmanager
    def watching(self, key: str | bytes) -> Iterator[Any]:
        """A pipeline that reads at once, and that after `multi()` writes only if nobody wrote `key` meanwhile."""
        with named_errors(writing=True), self._client.pipeline(transaction=True) as pipeline:
            pipeline.watch(key)
            yield pipeline
        note_write()
