"""Every answer: kept by nobody; and an outage is said, never shown as an empty list."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.test import Client

from memoryportal.base import installation

from .urls import CANARY

if TYPE_CHECKING:
    from memoryportal.accounts.models import User
    from memoryportal.memory import ScopedMemory

NOTHING_CHANGED = "Nothing was changed."


@pytest.fixture
def database_gone(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The portal's own database cannot be reached, while everything else runs. Yields where it really is."""
    wrapper = connections["default"]
    wrapper.close()
    host, wrapper.settings_dict["HOST"] = wrapper.settings_dict["HOST"], str(tmp_path)
    yield host
    wrapper.close()
    wrapper.settings_dict["HOST"] = host


def page(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.django_db
@pytest.mark.urls("tests.base.urls")
@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/accounts/login/", "/nowhere", "/cached", "/store-gone", "/memories/"]
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_nothing_is_kept_by_caches(client: Client, path: str, headers: dict[str, str]) -> None:
    response = client.get(path, headers=headers)
    assert response.headers["Cache-Control"] == "no-store"
    assert {"Cookie", "HX-Request", "HX-Target"} <= {name.strip() for name in response.headers["Vary"].split(",")}


@pytest.mark.django_db
def test_sign_out_clears_the_browsers_memory_of_the_site(alice_client: Client) -> None:
    before = alice_client.get("/accounts/logout/")
    assert "Clear-Site-Data" not in before.headers
    after = alice_client.post("/accounts/logout/")
    assert after.status_code == 302
    assert after.headers["Clear-Site-Data"] == '"cache", "storage"'


@pytest.mark.urls("tests.base.urls")
@pytest.mark.parametrize("path", ["/store-gone", "/database-gone", "/driver-gone"])
def test_outage_is_a_503_that_says_nothing_was_changed(client: Client, path: str) -> None:
    response = client.post(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert "<title>" in page(response)
    assert NOTHING_CHANGED in page(response)
    assert CANARY not in page(response)


@pytest.mark.urls("tests.base.urls")
def test_outage_for_htmx_is_a_fragment(client: Client) -> None:
    response = client.get("/store-gone", headers={"HX-Request": "true"})
    assert response.status_code == 503
    assert "data-error-text" in page(response)
    assert NOTHING_CHANGED in page(response)
    assert "<html" not in page(response)


@pytest.mark.urls("tests.base.urls")
def test_boosted_navigation_gets_the_whole_page(client: Client) -> None:
    response = client.get("/store-gone", headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert "<title>" in page(response)


@pytest.mark.urls("tests.base.urls")
def test_outage_is_logged_without_content(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "memoryportal.base.errors"):
        client.get("/store-gone?q=secret")
    messages = [record.getMessage() for record in caplog.records if record.name == "memoryportal.base.errors"]
    assert len(messages) == 1
    assert messages[0].startswith("GET /store-gone: unavailable (StoreUnavailable)")
    assert CANARY not in caplog.text


@pytest.mark.urls("tests.base.urls")
def test_fault_is_a_500_without_its_text(client: Client) -> None:
    client.raise_request_exception = False
    response = client.get("/broken")
    assert response.status_code == 500
    assert "Something went wrong on our side" in page(response)
    assert CANARY not in page(response)
    assert "Traceback" not in page(response)


def test_portals_database_gone_is_the_503_page(alice: "User", database_gone: str) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["session"] = "a" * 32
    response = client.get("/memories/")
    assert response.status_code == 503
    assert NOTHING_CHANGED in page(response)
    assert "Nothing is remembered" not in page(response)


def test_health_and_readiness_when_the_database_is_gone(database_gone: str) -> None:
    assert Client().get("/healthz").status_code == 200
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert page(response).startswith("not ready: database")


@pytest.mark.django_db
@pytest.mark.urls("tests.base.urls")
def test_what_breaks_an_answer_off_reaches_the_web_server_without_its_text(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """granian writes tracebacks into a log of its own."""
    pieces, raised = iter(client.get("/cut").streaming_content), None
    assert next(pieces) == b"begun"
    try:
        next(pieces)
    except Exception as error:
        raised = error
    assert raised is not None
    assert CANARY not in "".join(traceback.format_exception(raised))
    assert "an answer was broken off (ValueError)" in caplog.text


@pytest.mark.django_db
def test_ready_when_everything_works(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, page(response)) == (200, "ready\n")


def test_memory_store_gone_is_no_empty_list(
    alice_client: Client, alice_memory: "ScopedMemory", settings: Any, tmp_path: Path
) -> None:
    alice_memory.add([{"role": "user", "content": "I like tea"}], infer=False)
    working, settings.MEMORY_DATABASE_URL = settings.MEMORY_DATABASE_URL, f"postgresql://nobody@/portal?host={tmp_path}"
    response = alice_client.get("/memories/")
    settings.MEMORY_DATABASE_URL = working
    assert response.status_code == 503
    assert "Nothing is remembered" not in page(response)
    assert "tea" in page(alice_client.get("/memories/"))


@pytest.mark.django_db
def test_unknown_and_forbidden_forms(client: Client) -> None:
    assert client.get("/nowhere/at/all").status_code == 404
    refused = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x", "password": "y"})
    assert refused.status_code == 403
    assert "This form has expired" in page(refused)
    assert "copy what you have typed there, reload that page, and send the form again" in page(refused)


@pytest.mark.django_db
def test_a_page_that_only_a_button_opens_says_so(alice_client: Client) -> None:
    response = alice_client.post("/held/")
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"
    assert "answers a button" in page(response)
    assert NOTHING_CHANGED in page(response)
    assert alice_client.post("/held/", headers={"HX-Request": "true"}).content.strip().startswith(b"<div")


def test_bad_host_is_refused(client: Client) -> None:
    assert client.get("/", headers={"Host": "evil.example.com"}).status_code == 400


class TestStart:
    """Whether a process may serve at all."""

    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(installation, "_answer_pending", False)

    def test_a_demos_database_is_refused_outside_the_demo(self, db: None) -> None:
        installation.Installation.objects.update_or_create(id=1, defaults={"demo": True})
        with pytest.raises(installation.ImproperlyConfigured, match="made by the demo, whose passwords are public"):
            installation.refuse_unsafe_start()

    def test_the_demo_refuses_every_other_database(self, db: None, settings: Any) -> None:
        settings.DEMO = True
        with pytest.raises(installation.ImproperlyConfigured, match="not made by the demo"):
            installation.refuse_unsafe_start()

    @pytest.mark.parametrize("name", ["MEM0_CONFIG", "MEM0_API_KEY"])
    def test_the_demo_refuses_live_stores(self, db: None, settings: Any, name: str) -> None:
        installation.Installation.objects.update_or_create(id=1, defaults={"demo": True})
        settings.DEMO = True
        installation.refuse_unsafe_start()
        setattr(settings, name, "something live")
        with pytest.raises(installation.ImproperlyConfigured, match=f"unset .*{name}"):
            installation.refuse_unsafe_start()

    def test_production_refuses_a_login_that_owns_tables(self, db: None, settings: Any) -> None:
        settings.PRODUCTION = True
        installation.refuse_unsafe_start()
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("memoryportal_app",)
        assert installation.login_with_too_many_rights() is None

    def test_unanswered_question_is_asked_again_before_any_page(self, alice: "User", database_gone: str) -> None:
        installation.refuse_unsafe_start()
        assert Client().get("/healthz").status_code == 503
        connections["default"].settings_dict["HOST"] = database_gone
        assert Client().get("/healthz").status_code == 200
