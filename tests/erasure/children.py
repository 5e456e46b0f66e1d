"""Engines in processes of their own, which kill themselves with -9 where a test says.

The product knows nothing of this: the child wraps functions of the engine's modules before it runs it. Children come
from a fork server that has loaded everything once, so each costs some milliseconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any

from django.db import connection

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload([__name__, "tests.erasure.loaded"])


@dataclass(frozen=True, slots=True)
class Death:
    """Die `when` ("before" or "after") the `call`-th call of `name`, as a module and a dotted name in it."""

    name: str
    when: str = "before"
    call: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.name.split('erasure.')[-1]} {self.call}"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put something around the function `package.module:dotted.name`, in this process."""
    module, dotted = name.split(":")
    *path, last = dotted.split(".")
    holder = reduce(getattr, path, import_module(module))
    setattr(holder, last, wrapped(getattr(holder, last)))


def _dying(death: Death) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == death.call and death.when == "before":
                die()
            result = function(*args, **kwargs)
            if calls == death.call and death.when == "after":
                die()
            return result

        return called

    return around


def run_in_child(act: Callable[..., Any], *args: Any, seconds: float = 60) -> int:
    """The exit code of a process that does this on the test's database."""
    child = start(act, *args)
    child.join(seconds)
    assert child.exitcode is not None, "it hangs"
    return int(child.exitcode)


def start(act: Callable[..., Any], *args: Any) -> Any:
    """The same, running. `act` is a function of a module; it is called when the child is on the test's database."""
    child = server.Process(target=_on_the_database, args=(_there(), act, args), daemon=True)
    child.start()
    return child


def _there() -> dict[str, str]:
    from django.conf import settings

    names = ("MEMORY_DATABASE_URL", "MEMORY_OWNER_URL", "ERASURE_LEDGER", "AUDIT_HEADS", "KEY_DIR", "MEM0_CONFIG")
    return {"NAME": str(connection.settings_dict["NAME"])} | {name: str(getattr(settings, name)) for name in names}


def _on_the_database(there: dict[str, str], act: Callable[..., Any], args: Any) -> None:
    from django.conf import settings

    from memoryportal.base.names import APP
    from tests.conftest import become

    name = there.pop("NAME")
    for setting, value in there.items():
        setattr(settings, setting, value)
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    become(APP, name)
    act(*args)


def carry_out(pk: Any, *deaths: Death) -> None:
    """What a worker does with one request, until it dies."""
    from memoryportal.erasure import engine
    from memoryportal.erasure.models import Erasure

    for death in deaths:
        wrap(death.name, _dying(death))
    engine.run(Erasure.objects.get(pk=pk))
