"""A small run of tests/chaos: workers die, plain mem0 writes, and in the end everything is as it has to be."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from memoryportal.base.databases import embedded_dsn
from tests.chaos.crowd import KINDS, Crowd
from tests.chaos.erasures import Size, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def files_of_its_own(tmp_path: Path, settings: Any) -> None:
    settings.ERASURE_LEDGER, settings.AUDIT_HEADS = str(tmp_path / "ledger.jsonl"), str(tmp_path / "heads.jsonl")


def test_a_few_workers_die_and_nothing_is_lost(superuser: psycopg.Connection[Any], tmp_path: Path) -> None:
    address = embedded_dsn(Path(django_settings.DATA_DIR), "postgres", str(connection.settings_dict["NAME"]))
    result = run(Size(requests=10, kills=15, workers=2, writers=1, seconds=120), superuser, address, tmp_path)
    assert result.is_right, "\n".join(result.table())
    assert result.kills == 15
    assert result.written > 0
    assert result.states == {"completed": 10}


def test_whoever_looks_at_the_end_would_see_it(superuser: psycopg.Connection[Any]) -> None:
    """Without this the run above could pass because it looks in the wrong places."""
    crowd = Crowd.gathered(superuser, 7, seed=1)
    assert {wanted.kind for wanted in crowd.wanted} == {*KINDS}
    assert crowd.left() > 7 * 5
    assert crowd.lost() == 0
    superuser.execute("DELETE FROM memories_history WHERE subject = 'still-0'")
    assert crowd.lost() == 1
    (assistant,) = [wanted for wanted in crowd.wanted if wanted.kind == "assistant"]
    superuser.execute("DELETE FROM memories WHERE id = %s", (assistant.keeps[0],))
    assert crowd.lost() == 2
    report = {"has": {assistant.keeps[1]: "another text"}}
    assert crowd.differs(report, ["nobody"]) == 1
    (account,) = [wanted for wanted in crowd.wanted if wanted.kind == "account"]
    before = crowd.left()
    account.account = None
    assert crowd.left() < before  # the account's own rows were counted
