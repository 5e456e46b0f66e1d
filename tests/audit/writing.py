"""Several writers at once, each with a connection of its own, as web processes and workers are."""

import threading
import time

from django.db import connection

from .house import happen


def write_at_once(writers: int, events: int) -> float:
    """Let `writers` append `events` each; how many were appended in a second."""
    ready, failed = threading.Barrier(writers + 1), []

    def write() -> None:
        try:
            connection.ensure_connection()
            ready.wait()
            happen(events)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert not failed, failed
    return writers * events / seconds
