import pytest
from django.test import Client

from memoryportal.accounts.models import User


@pytest.mark.django_db
def test_a_signed_in_person_goes_to_their_memories(alice: User, alice_client: Client) -> None:
    assert alice_client.get("/").headers["Location"] == "/memories/"


@pytest.mark.django_db
def test_everybody_else_reads_what_this_place_is(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "What do assistants remember about you?" in page
    assert 'href="/accounts/login/"' in page
    assert 'href="/accounts/signup/"' in page
    assert "Our staff look at somebody’s notes only for a reason" in page


def test_the_start_page_needs_no_database(client: Client) -> None:
    """Without the django_db mark any query is an error."""
    assert client.get("/").status_code == 200


@pytest.mark.django_db
def test_the_start_page_is_only_read(client: Client) -> None:
    assert client.post("/").status_code == 405
