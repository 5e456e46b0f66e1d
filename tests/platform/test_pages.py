"""A person's own pages, with the Platform behind them."""

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.mydata.export_formats import with_histories

from .helpers import kept, plant
from .server import Platform


@pytest.fixture
def carol(platform: Platform, db: None) -> ScopedMemory:
    return ScopedMemory.for_person(SubjectId(User.objects.create_user("carol@example.com", "demo-portal-1").subject))


@pytest.fixture
def client(carol: ScopedMemory) -> Client:
    client = Client()
    client.force_login(User.objects.get(email="carol@example.com"))
    return client


@pytest.mark.parametrize("path", ["/memories/", "/held/", "/erasure/", "/memories/?agent=planner"])
def test_pages_show_what_the_platform_has(
    platform: Platform, carol: ScopedMemory, bob: ScopedMemory, client: Client, path: str
) -> None:
    plant(platform, carol, 3)
    response = client.get(path, follow=True)
    assert response.status_code == 200
    body = response.getvalue().decode()
    assert "cello" not in body
    assert ("Note 2." in body) == (path == "/memories/")


def test_export_has_the_earlier_wordings(platform: Platform, carol: ScopedMemory, bob: ScopedMemory) -> None:
    item = carol.add("I am vegetarian.")[0]
    carol.update(item.id, "I am vegan.")
    exported = [(item.text, [version.new for version in versions]) for item, versions in with_histories(carol)]
    assert exported == [("I am vegan.", ["I am vegetarian.", "I am vegan."])]


def test_search_finds_ones_own(platform: Platform, carol: ScopedMemory, bob: ScopedMemory, client: Client) -> None:
    plant(platform, carol, 1)
    for word, found in (("note", True), ("cello", False)):
        body = client.post("/memories/search/", {"q": word, "by": "word"}).content.decode()
        assert ("Note 0." in body, "I play" in body) == (found, False)


def test_page_says_that_the_platform_cannot_be_reached(platform: Platform, carol: ScopedMemory, client: Client) -> None:
    plant(platform, carol, 1)
    platform.fail("/v3/memories/", 500)
    response = client.get("/memories/")
    assert response.status_code == 503
    assert "Nothing was changed." in response.content.decode()


def test_page_does_not_guess_whether_a_deletion_happened(
    platform: Platform, carol: ScopedMemory, client: Client
) -> None:
    item = carol.add("I am vegetarian.")[0]
    platform.state.odd.lying = True
    response = client.post(f"/memories/{item.id}/delete/")
    assert response.status_code == 503
    body = response.content.decode()
    assert "may have been made, or may still be made" in body
    assert "Nothing was changed." not in body
    assert kept(platform, carol) == {"I am vegetarian."}


def test_an_earlier_wording_is_shown_and_its_removal_not_offered(
    platform: Platform, carol: ScopedMemory, bob: ScopedMemory, client: Client
) -> None:
    item = carol.add("I am vegetarian.")[0]
    page, sentence = f"/memories/{item.id}/", "One earlier wording cannot be removed by itself here"
    assert sentence not in client.get(page).content.decode()  # there is none yet
    carol.update(item.id, "I am vegan.")
    body = client.get(page).content.decode()
    assert "I am vegetarian." in body
    assert sentence in body
    assert "Remove this wording" not in body
    for ask in (client.get, client.post):
        response = ask(f"{page}versions/1/delete/")
        assert response.status_code == 409
        body = response.content.decode()
        assert "To remove all of them, delete the memory." in body
        assert "how the memory reads now" not in body
        foreign = ask(f"/memories/{bob.page().items[0].id}/versions/1/delete/")
        assert foreign.status_code == 404
    assert [version.new for version in carol.history(item.id)] == ["I am vegetarian.", "I am vegan."]
