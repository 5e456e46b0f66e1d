import pytest
from django.test import Client

from memoryportal.accounts import links, subjects
from memoryportal.accounts.models import SubjectLink, User
from memoryportal.memory import SubjectId

from .helpers import add_totp, person

pytestmark = pytest.mark.django_db


def link(account: User, subject: str, issuer: str = "") -> SubjectLink:
    return links.link(account, SubjectId(subject), reason="ticket 12: they proved it", issuer=issuer)


def page_of(client: Client) -> str:
    answer = client.get("/settings/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_leads_to_everything_about_signing_in(alice_client: Client) -> None:
    page = page_of(alice_client)
    assert "alice@example.com" in page
    for path in ("email/", "password/change/", "2fa/", "sessions/"):
        assert f'href="/accounts/{path}"' in page


def test_the_page_says_whether_there_is_a_second_factor(alice: User, alice_client: Client) -> None:
    assert "Set it up" in page_of(alice_client)
    add_totp(alice)
    assert "Set it up" not in page_of(alice_client)


def test_a_person_without_a_password_is_offered_one(client: Client) -> None:
    client.force_login(person("sso@example.com", password=None))
    page = page_of(client)
    assert 'href="/accounts/password/set/"' in page
    assert "password/change" not in page


def test_the_time_zone_is_saved(alice: User, alice_client: Client) -> None:
    answer = alice_client.post("/settings/", {"time_zone": "America/Argentina/Buenos_Aires"})
    assert answer.headers["Location"] == "/settings/"
    assert User.objects.get(pk=alice.pk).time_zone == "America/Argentina/Buenos_Aires"
    assert '<option value="America/Argentina/Buenos_Aires" selected>Argentina, Buenos Aires</option>' in page_of(
        alice_client
    )


def test_every_foot_says_which_zone_the_times_are_in(alice: User, alice_client: Client) -> None:
    change = '<a href="/settings/#times">Change the time zone</a>'
    pages = ("/memories/", "/activity/", "/held/", "/nowhere/")
    for words, zone in (("UTC (universal time)", "UTC"), ("Europe/Berlin", "Europe/Berlin")):
        User.objects.filter(pk=alice.pk).update(time_zone=zone)
        for path in pages:
            foot = alice_client.get(path).content.decode().split('<footer class="foot">')[1]
            assert words in foot, path
            assert change in foot, path
    assert change not in Client().get("/requests/").content.decode()


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\n"])
def test_an_unknown_time_zone_is_refused(name: str, alice: User, alice_client: Client) -> None:
    answer = alice_client.post("/settings/", {"time_zone": name})
    assert answer.status_code == 422
    assert "There is a problem" in answer.content.decode()
    assert User.objects.get(pk=alice.pk).time_zone == "UTC"


def test_the_form_changes_nothing_but_the_time_zone(alice: User, alice_client: Client) -> None:
    forged = {"time_zone": "Asia/Tokyo", "is_superuser": "1", "email": "x@example.com", "subject": "x", "password": "x"}
    before = User.objects.get(pk=alice.pk)
    alice_client.post("/settings/", forged)
    after = User.objects.get(pk=alice.pk)
    assert after.time_zone == "Asia/Tokyo"
    for field in ("is_superuser", "email", "subject", "password", "is_active", "connected_at"):
        assert getattr(after, field) == getattr(before, field), field


def test_the_page_lists_ones_own_ids_and_nobody_elses(alice: User, bob: User, alice_client: Client) -> None:
    link(alice, "customer-1", issuer="The shop")
    link(bob, "customer-3")
    page = page_of(alice_client)
    assert "customer-1" in page
    assert "The shop" in page
    assert alice.subject in page
    assert "customer-3" not in page
    assert bob.subject not in page
    assert "ticket 12" not in page


def test_one_id_leaves_no_choice(alice_client: Client) -> None:
    assert "/settings/subject/" not in page_of(alice_client)


def test_the_page_says_when_no_assistant_is_connected(alice: User, alice_client: Client) -> None:
    assert "No assistant is connected" in page_of(alice_client)
    subjects.mark_connected(alice)
    assert "No assistant is connected" not in page_of(alice_client)


def test_another_own_id_is_chosen(alice: User, alice_client: Client) -> None:
    link(alice, "customer-1")
    second = link(alice, "customer-2")
    answer = alice_client.post("/settings/subject/", {"choice": str(second.pk)}, follow=True)
    assert answer.redirect_chain == [("/settings/", 302)]
    card = answer.content.decode().split(f'id="subject-{second.pk}"')[1].split("</section>")[0]
    assert "shown now" in card
    assert "customer-2" in card


def test_a_forged_choice_is_not_found_and_changes_nothing(alice: User, bob: User, alice_client: Client) -> None:
    mine = link(alice, "customer-1")
    foreign = link(bob, "customer-3")
    alice_client.post("/settings/subject/", {"choice": str(mine.pk)})
    page_of(alice_client)  # shows, and so takes away, the message about the choice
    before = dict(alice_client.session.items())
    bodies = set()
    for forged in (str(foreign.pk), "999999", "customer-3", bob.subject, alice.subject, "", "-1", "0x1"):
        answer = alice_client.post("/settings/subject/", {"choice": forged})
        assert answer.status_code == 404
        bodies.add(len(answer.content))
    assert alice_client.post("/settings/subject/").status_code == 404
    assert dict(alice_client.session.items()) == before
    assert len(bodies) == 1


def test_a_choice_is_made_by_post_only(alice: User, alice_client: Client) -> None:
    own = link(alice, "customer-1")
    assert alice_client.get(f"/settings/subject/?choice={own.pk}").status_code == 405


def test_a_choice_needs_the_forms_token(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    link(alice, "customer-1")
    assert strict.post("/settings/subject/", {"choice": subjects.ISSUED}).status_code == 403
    assert "subject_choice" not in strict.session


@pytest.mark.parametrize("path", ["/settings/", "/settings/subject/", "/settings/sessions/1/end/"])
def test_nobody_in_particular_is_sent_to_the_sign_in(path: str, client: Client) -> None:
    answer = client.post(path, {"time_zone": "Asia/Tokyo"})
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/accounts/login/")
