"""Houses of their own for the tests that ask what a login may do, and a switch that breaks the trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from memoryportal.base.names import APP

from .house import House, run_data_dir

_ENTRY = ("NAME", "USER", "HOST", "PASSWORD", "PORT", "OPTIONS")


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let Django's connection come back to where it was."""
    wrapper = connections["default"]
    kept = {key: wrapper.settings_dict[key] for key in _ENTRY}
    try:
        yield
    finally:
        wrapper.close()
        for handler in (connections.settings["default"], wrapper.settings_dict):
            handler.update(kept)


@pytest.fixture(scope="module")
def built_house(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    house = House(run_data_dir())
    with django_db_blocker.unblock(), elsewhere():
        house.build()
    yield house
    house.tear_down()


@pytest.fixture
def house(built_house: House, django_db_blocker: Any, settings: Any, tmp_path: Path) -> Iterator[House]:
    """The house with an empty trail and no signed heads; Django works in it as the portal's login."""
    settings.AUDIT_HEADS = str(tmp_path / "heads.jsonl")
    settings.KEY_DIR = tmp_path / "keys"
    with django_db_blocker.unblock(), elsewhere():
        built_house.sweep()
        built_house.use(APP)
        yield built_house
