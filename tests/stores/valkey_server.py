"""A stand-in for a Valkey server with valkey-search: some commands over RESP2, in this process.

What it is for: the search module cannot be installed everywhere, and the portal's own code between its calls (queries,
escaping, pages, deletion, what happens when the server goes away) should be tested everywhere.

What it does not prove: that a real server behaves so. It was written from what valkey-search 1.2.1 was seen to do and
from its documentation; where both are wrong, or another version differs, this is wrong with them. It has no
persistence, no replication, no work behind a command's back, no memory limit, and FLAT and HNSW are the same here.
`make test-valkey` runs the same suite against a real server, and only that is a proof.
"""

import fnmatch
import re
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import valkey

from .valkey_search import Index, Keyspace, Refusal, create, info, parse_options, search

MODULE = (1, 2, 1)
Reply = Any


class Server(socketserver.ThreadingTCPServer):
    """The keyspace, the indexes, and what a test wants to go wrong.

    `module`: version of the search module, or None for a server without it. `trims`: see valkey_search.search.
    `lose_at`: (command, n) closes every connection instead of answering the n-th such command, and all that follow.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, module: tuple[int, int, int] | None = MODULE, *, trims: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.module, self.trims = module, trims
        self.keyspace: Keyspace = {}
        self.indexes: dict[str, Index] = {}
        self.changes: Counter[bytes] = Counter()
        self.seen: list[list[bytes]] = []
        self.lose_at: tuple[str, int] | None = None
        self.lock = threading.RLock()

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.server_address[1]}/0"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""

    def is_lost(self, name: str) -> bool:
        if self.lose_at is None:
            return False
        wanted, left = self.lose_at
        if left > 0 and name == wanted:
            self.lose_at = (wanted, left := left - 1)
        return left <= 0

    # --- commands ----------------------------------------------------------------------------------------------------

    def execute(self, words: list[bytes]) -> Reply:
        """The reply to one command; Refusal for an error."""
        with self.lock:
            self.seen.append(words)
            name = words[0].decode().upper()
            if name.startswith("FT."):
                return self._search_command(name, words)
            command: Callable[..., Reply] | None = getattr(self, f"_{name.lower()}", None)
            if command is None:
                raise Refusal(f"ERR unknown command '{name}', with args beginning with: ")
            return command(*words[1:])

    def _ping(self, *_: bytes) -> Reply:
        return "PONG"

    def _client(self, *_: bytes) -> Reply:
        return "OK"

    _select = _client

    def _module(self, *_: bytes) -> Reply:
        if self.module is None:
            return []
        major, minor, patch = self.module
        return [["name", "search", "ver", major << 16 | minor << 8 | patch, "path", "libsearch.so", "args", []]]

    def _info(self, *_: bytes) -> Reply:
        return b"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n"

    def _hset(self, key: bytes, *pairs: bytes) -> Reply:
        value = self.keyspace.setdefault(key, {})
        fresh = sum(name not in value for name in pairs[::2])
        value.update(zip(pairs[::2], pairs[1::2], strict=True))
        self.changes[key] += 1
        for index in self.indexes.values():
            if index.covers(key):
                index.written(value)
        return fresh

    def _hget(self, key: bytes, name: bytes) -> Reply:
        return self.keyspace.get(key, {}).get(name)

    def _hmget(self, key: bytes, *names: bytes) -> Reply:
        return [self.keyspace.get(key, {}).get(name) for name in names]

    def _hgetall(self, key: bytes) -> Reply:
        return [part for pair in self.keyspace.get(key, {}).items() for part in pair]

    def _unlink(self, *keys: bytes) -> Reply:
        there = [key for key in keys if self.keyspace.pop(key, None) is not None]
        self.changes.update(there)
        return len(there)

    _del = _unlink

    def _exists(self, *keys: bytes) -> Reply:
        return sum(key in self.keyspace for key in keys)

    def _scan(self, cursor: bytes, *options: bytes) -> Reply:
        """In parts of three keys, so that nobody gets along with one call."""
        given = dict(zip([option.upper() for option in options[::2]], options[1::2], strict=True))
        start, keys = int(cursor), sorted(self.keyspace)
        pattern = re.compile(_glob(given.get(b"MATCH", b"*").decode()), re.DOTALL)
        part = [key for key in keys[start : start + 3] if pattern.fullmatch(key.decode())]
        return [str(start + 3 if start + 3 < len(keys) else 0), part]

    def _search_command(self, name: str, words: list[bytes]) -> Reply:
        if self.module is None:
            raise Refusal(f"ERR unknown command '{name}', with args beginning with: ")
        if name == "FT._LIST":
            return list(self.indexes)
        index_name = words[1].decode()
        if name == "FT.CREATE":
            if index_name in self.indexes:
                raise Refusal(f"Index {index_name} in database 0 already exists.")
            self.indexes[index_name] = create([word.decode() for word in words[1:]])
            return "OK"
        index = self.indexes.get(index_name)
        if index is None:
            raise Refusal(f"Index with name '{index_name}' not found in database 0")
        if name == "FT.DROPINDEX":
            if len(words) != 2:
                raise Refusal("ERR wrong number of arguments for FT.DROPINDEX command")
            del self.indexes[index_name]
            return "OK"
        if name == "FT.INFO":
            return info(index, self.keyspace)
        if name == "FT.SEARCH":
            query = words[2].decode("utf-8", "surrogateescape")
            return search(index, self.keyspace, query, parse_options(words[3:]), trims=self.trims)
        raise Refusal(f"ERR unknown command '{name}', with args beginning with: ")


def _glob(pattern: str) -> str:
    """Valkey's pattern as a regular expression: a backslash takes the next character as it is."""
    parts = re.findall(r"\\(.)|(.)", pattern, re.DOTALL)
    return "".join(re.escape(literal) if literal else fnmatch.translate(plain)[4:-3] for literal, plain in parts)


class Connection(socketserver.StreamRequestHandler):
    """One client, with what it watches and what it has queued."""

    server: Server
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.watched: dict[bytes, int] = {}
        self.queued: list[list[bytes]] | None = None
        while words := self._read():
            name = words[0].decode().upper()
            if self.server.is_lost(name):
                return
            try:
                self._send(self._answer(name, words))
            except Refusal as refusal:
                self.wfile.write(f"-{refusal}\r\n".encode())
            self.wfile.flush()

    def _answer(self, name: str, words: list[bytes]) -> Reply:
        if name == "WATCH":
            self.watched.update({key: self.server.changes[key] for key in words[1:]})
        elif name == "UNWATCH":
            self.watched.clear()
        elif name == "MULTI":
            self.queued = []
        elif name == "DISCARD":
            self.queued = None
        elif name == "EXEC":
            return self._run_queued()
        elif self.queued is not None:
            self.queued.append(words)
            return "QUEUED"
        else:
            return self.server.execute(words)
        return "OK"

    def _run_queued(self) -> Reply:
        queued, watched = self.queued or [], dict(self.watched)
        self.queued = None
        self.watched.clear()
        with self.server.lock:
            if any(self.server.changes[key] != seen for key, seen in watched.items()):
                return None
            # A server that dies does so before a transaction or after it.
            if any(self.server.is_lost(words[0].decode().upper()) for words in queued):
                raise ConnectionAbortedError
            return [self.server.execute(words) for words in queued]

    def _read(self) -> list[bytes]:
        head = self.rfile.readline()
        if not head.startswith(b"*"):
            return []
        words = []
        for _ in range(int(head[1:])):
            length = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(length))
            self.rfile.read(2)
        return words

    def _send(self, reply: Reply) -> None:
        if reply is None:
            self.wfile.write(b"$-1\r\n")
        elif isinstance(reply, int):
            self.wfile.write(b":%d\r\n" % reply)
        elif isinstance(reply, list):
            self.wfile.write(b"*%d\r\n" % len(reply))
            for part in reply:
                self._send(part)
        elif isinstance(reply, bytes):
            self.wfile.write(b"$%d\r\n%s\r\n" % (len(reply), reply))
        elif reply in ("OK", "PONG", "QUEUED"):
            self.wfile.write(f"+{reply}\r\n".encode())
        else:
            self._send(str(reply).encode())


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, answering until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def throw_away(url: str, collection: str) -> Iterator[None]:
    """Afterwards, take the collection's indexes and keys off a real server again."""
    yield
    client: Any = valkey.Valkey.from_url(url)
    for name in (collection, f"{collection}_entities"):
        if name.encode() in client.execute_command("FT._LIST"):
            client.execute_command("FT.DROPINDEX", name)
        for key in list(client.scan_iter(match=f"mem0:{name}:*", count=1000)):
            client.unlink(key)
    client.close()
