"""A switchable proxy in front of a server: it forwards, freezes, cuts or refuses, as a network or a server might.

with Proxy(Path("/…/.s.PGSQL.5432")) as proxy:
    dsn = proxy.dsn("postgresql://user@/name")
    proxy.freeze()
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self

from psycopg.conninfo import make_conninfo

CHUNK = 65536


class Proxy:
    """Listens on 127.0.0.1 and speaks to the server's unix socket, or to its port on this machine.

    All switches act on open connections too.
    """

    def __init__(self, server: Path | int) -> None:
        self._server = server
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._refusing = self._stopped = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0  # how often a client has sent something since `count_from_here`
        self._cut_before: int | None = None
        self._cut_after_answer_to: int | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._flows.set()
        self._listener.close()
        self.cut()

    def dsn(self, dsn: str) -> str:
        """The same database and login, through here."""
        return make_conninfo(dsn, host="127.0.0.1", port=self.port, sslmode="disable", gssencmode="disable")

    def forward(self) -> None:
        """Let everything through (again)."""
        self._refusing, self._cut_before, self._cut_after_answer_to = False, None, None
        self._flows.set()

    def freeze(self) -> None:
        """Accept everything and pass on nothing: a server that hangs, or a network that drops packets."""
        self._flows.clear()

    def cut(self) -> None:
        """Close every connection."""
        with self._lock:
            gone, self._open = self._open, set()
        for end in gone:
            _close(end)

    def refuse(self) -> None:
        """Close every connection, and every new one at once."""
        self._refusing = True
        self.cut()

    def cut_before(self, number: int) -> None:
        """From here on, cut when clients send for the `number`-th time: that message does not arrive."""
        self.sent, self._cut_before, self._cut_after_answer_to = 0, number, None

    def cut_after(self, number: int) -> None:
        """From here on, let the `number`-th message arrive, and cut when the server answers it: the answer is lost."""
        self.sent, self._cut_before, self._cut_after_answer_to = 0, None, number

    def _accept(self) -> None:
        while not self._stopped:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _close(client)
                continue
            server = self._reach()
            if server is None:
                _close(client)
                continue
            with self._lock:
                self._open |= {client, server}
            for source, target, is_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._relay, args=(source, target, is_client), daemon=True).start()

    def _reach(self) -> socket.socket | None:
        if isinstance(self._server, Path):
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            return server
        try:
            return socket.create_connection(("127.0.0.1", self._server), 5)
        except OSError:
            return None

    def _relay(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._flows.wait()
                if self._is_time_to_cut(is_client):
                    self.cut()
                    return
                target.sendall(data)
        for end in (source, target):
            with self._lock:
                self._open.discard(end)
            _close(end)

    def _is_time_to_cut(self, is_client: bool) -> bool:
        with self._lock:
            if is_client:
                self.sent += 1
                return self.sent == self._cut_before
            if self._cut_after_answer_to is None or self.sent < self._cut_after_answer_to:
                return False
            self._cut_after_answer_to = None  # once: what is connected afterwards works
            return True


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
