"""/readyz names the store when it could not serve, and asks it no more often than it has to."""

import logging
from typing import Any

import pytest
from django.test import Client

from memoryportal.base.deadline import DeadlineConnection
from memoryportal.memory import ScopedMemory, pool, readiness

from ..proxy import Proxy
from .databases import Database

pytestmark = pytest.mark.django_db
READY, NOT_READY = (200, "ready\n"), (503, "not ready: store\n")


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "HOLDS", 0)


def readyz() -> tuple[int, str]:
    response = Client().get("/readyz")
    return response.status_code, response.content.decode()


def test_a_store_that_works_is_ready(alice: ScopedMemory) -> None:
    alice.add("I drink tea.")
    assert readyz() == READY


def test_a_store_that_is_not_prepared_is_not_ready(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "memoryportal.memory"):
        assert readyz() == NOT_READY
    assert "not ready: memoryportal.memory.errors.StoreNotPrepared" in caplog.text


def test_an_address_without_a_store_is_not_ready(settings: Any) -> None:
    working = settings.MEMORY_DATABASE_URL
    settings.MEMORY_DATABASE_URL = "postgresql://nobody@/nowhere?host=/nonexistent"
    assert readyz() == NOT_READY
    assert Client().get("/healthz").status_code == 200
    settings.MEMORY_DATABASE_URL = working
    assert readyz() == READY


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("way", ["refuse", "freeze"])
def test_a_store_that_goes_away_and_comes_back(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(DeadlineConnection, "deadline", 0.4)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 2)
    assert readyz() == READY
    getattr(proxy, way)()
    assert readyz() == NOT_READY
    proxy.cut()
    proxy.forward()
    assert readyz() == READY


def test_an_answer_holds_for_a_while(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert readyz() == READY
    proxy.refuse()
    assert {readyz() for _ in range(5)} == {READY}
    monkeypatch.setattr(readiness, "HOLDS", 0)
    assert readyz() == NOT_READY
    monkeypatch.undo()
    proxy.cut()
    proxy.forward()
    assert {readyz() for _ in range(5)} == {NOT_READY}
