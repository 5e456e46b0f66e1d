"""What somebody does here from the first visit to the last, step by step. Every step says what it expects."""

import csv
import io
import json
import re
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from playwright.sync_api import expect

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User
from memoryportal.memory import Filters, Item, ScopedMemory

from .person import SECRET, Person

LIST = "What assistants remember about you"
ADDRESS = "alice@example.com"


# --- coming in -------------------------------------------------------------------------------------------------------


def signs_up(alice: Person) -> User:
    """From the start page to a confirmed account."""
    alice.opens("/")
    alice.arrives("What do assistants remember about you?")
    alice.follows("Create an account")
    alice.arrives("Create an account")
    alice.types("E-mail address", ADDRESS)
    alice.types("Password", PASSWORD)
    alice.types("The same password again", PASSWORD)
    alice.presses("Create account")
    alice.arrives("Look into your e-mail")
    alice.opens(_link_of_the_mail())
    alice.arrives("Confirm your e-mail address")
    alice.presses("Yes, it is mine")
    return User.objects.get(email=ADDRESS)


def _link_of_the_mail() -> str:
    (letter,) = mail.outbox
    assert letter.to == [ADDRESS]
    found = re.search(r"https?://[^/\s]+(/\S+)", letter.body)
    assert found
    return found[1]


def signs_in(alice: Person) -> None:
    alice.opens("/")
    alice.follows("Sign in")
    alice.arrives("Sign in")
    alice.types("E-mail address", ADDRESS)
    alice.types("Password", PASSWORD)
    alice.presses("Sign in")
    alice.arrives(LIST)


def sees_an_account_that_no_assistant_uses(alice: Person) -> None:
    alice.reads("Nothing is stored under this account.")
    alice.reads("if you use an assistant with another login, connect it or ask us")
    assert "Nothing is remembered" not in alice.page.content()
    assert alice.total() == 0


# --- reading ---------------------------------------------------------------------------------------------------------


def reads_the_list(alice: Person, memory: ScopedMemory) -> None:
    alice.opens("/memories/")
    alice.arrives(LIST)
    assert alice.total() == memory.count()
    assert alice.ids() == [item.id for item in memory.page(limit=25).items]


def searches(alice: Person, words: str, by: str, finds: str, script: bool) -> None:
    """With a script by typing alone, without one by the button. The words stay out of the address."""
    alice.opens("/memories/")
    alice.page.get_by_label(by).check(force=True)  # the round button itself lies under its words
    field = alice.page.get_by_role("searchbox")
    field.press_sequentially(words)
    if not script:
        alice.presses("Search")
    expect(alice.page.locator("#memories").get_by_role("heading", name=re.compile(r"\d+ results?"))).to_be_visible()
    expect(alice.page.locator("#memories")).to_contain_text(finds)
    alice.looks(f"search {by}")
    assert words.split()[0] not in alice.page.url


def filters(alice: Person, memory: ScopedMemory, agent: str) -> None:
    alice.opens("/memories/")
    _opens_the_filter(alice)
    alice.page.get_by_label("Assistant", exact=True).select_option(agent)
    alice.presses("Show")
    alice.reads("fit the filter")
    assert alice.total() == memory.count(Filters(agent=agent))
    assert set(alice.ids()) <= {item.id for item in memory.walk() if item.agent == agent}
    alice.looks("filtered")


def _opens_the_filter(alice: Person) -> None:
    """It is folded on phones."""
    if not alice.page.get_by_label("Assistant", exact=True).is_visible():
        alice.page.locator("summary").click()


def turns_the_page(alice: Person, memory: ScopedMemory) -> None:
    alice.opens("/memories/")
    first = memory.page(limit=25)
    alice.follows(re.compile("^Older"))
    expect(alice.page.get_by_role("link", name=re.compile("Newest"))).to_be_visible()
    assert alice.ids() == [item.id for item in memory.page(after=first.next, limit=25).items]
    alice.reads("Older memories")
    assert alice.page.url.endswith("#memories"), "the same top again would look as if nothing had happened"
    alice.looks("the second page")


# --- changing --------------------------------------------------------------------------------------------------------


def one(memory: ScopedMemory, text: str) -> Item:
    """The only memory that begins like this."""
    (found,) = [item for item in memory.walk() if item.text.startswith(text)]
    return found


def corrects(alice: Person, item: Item, text: str) -> None:
    alice.opens(f"/memories/{item.id}/")
    alice.arrives("One memory")
    alice.reads(item.text)
    alice.follows("Correct it")
    alice.arrives("Correct a memory")
    alice.types("New wording", text)
    alice.presses("Save")
    alice.arrives("One memory")
    alice.reads(text)


def purges(alice: Person, item: Item, wording: str) -> None:
    """The oldest wording goes, the others stay."""
    alice.opens(f"/memories/{item.id}/")
    alice.reads(wording)
    alice.follows("Remove this wording…")
    alice.arrives("Remove this earlier wording?")
    alice.reads(wording)
    alice.presses("Remove it now")
    alice.arrives("One memory")
    alice.reads("This wording was removed.")
    assert wording not in alice.page.content()


def deletes(alice: Person, item: Item, memory: ScopedMemory) -> None:
    before = memory.count()
    alice.opens(f"/memories/{item.id}/")
    alice.follows("Delete it…")
    alice.arrives("Delete this memory?")
    alice.presses("Delete it now")
    alice.arrives(LIST)
    alice.page.get_by_text("Deleted: 1 memory").wait_for()
    assert alice.total() == before - 1 == memory.count()
    assert item.id not in {left.id for left in memory.walk()}


def deletes_several(alice: Person, memory: ScopedMemory) -> None:
    before = memory.count()
    alice.opens("/memories/")
    chosen = alice.ids()[:3]
    for memory_id in chosen:
        alice.page.locator(f'input[value="{memory_id}"]').check()
    alice.presses("Delete selected…")
    alice.arrives("Delete 3 memories?")
    assert alice.ids() == chosen
    alice.presses("Delete all 3 now")
    alice.arrives(LIST)
    assert alice.total() == before - 3
    assert not set(chosen) & {left.id for left in memory.walk()}


def deletes_all_that_match(alice: Person, memory: ScopedMemory, run: str) -> None:
    before, fitting = memory.count(), memory.count(Filters(run=run))
    assert fitting > 1
    alice.opens("/memories/")
    _opens_the_filter(alice)
    alice.page.get_by_label("Conversation", exact=True).select_option(run)
    alice.presses("Show")
    alice.presses(f"Delete all {fitting} that fit…")
    alice.arrives(f"Delete all {fitting} memories that fit this filter?")
    alice.presses(f"Delete all {fitting} now")
    alice.arrives(LIST)
    assert alice.total() == before - fitting
    assert memory.count(Filters(run=run)) == 0


# --- taking everything along, and leaving ----------------------------------------------------------------------------


def reads_everything_held(alice: Person, memory: ScopedMemory) -> None:
    alice.follows("Everything held")
    alice.arrives("Everything held about you")
    for place, count in memory.held().items():
        expect(alice.page.locator(f'[data-held="{place}"]')).to_have_text(str(count))


def proves_herself(alice: Person) -> None:
    alice.arrives("Confirm that it is you")
    alice.types("Password", PASSWORD)
    alice.presses("Go on")


def lets_time_pass(account: User, seconds: int) -> None:
    """As if the last proof of who she is were that much older."""
    session = SessionStore(UserSession.objects.get(user=account).session_key)
    for proof in session[AUTHENTICATION_METHODS_SESSION_KEY]:
        proof["at"] -= seconds
    session.save()


def exports(alice: Person, memory: ScopedMemory) -> None:
    """The files hold every memory, and nothing of anybody else."""
    alice.follows("Take it with you")
    alice.arrives("Take everything with you")
    alice.follows("Confirm that it is you")
    proves_herself(alice)
    alice.arrives("Take everything with you")
    alice.reads("You have confirmed that it is you.")
    texts = {form: _downloads(alice, form) for form in ("html", "json", "csv")}
    assert all(SECRET not in text for text in texts.values())
    everything = {item.id: item.text for item in memory.walk()}
    taken: dict[str, Any] = json.loads(texts["json"])
    assert taken["complete"] is True
    assert {entry["id"]: entry["memory"] for entry in taken["memories"]} == everything
    lines = csv.DictReader(io.StringIO(texts["csv"], newline=""))
    assert [line["id"] for line in lines][:-1] == list(everything)  # the last line says that it is complete
    assert f"Complete: {len(everything)} memories" in texts["html"]


def _downloads(alice: Person, form: str) -> str:
    with alice.page.expect_download() as waiting:
        alice.presses(re.compile(f"^Download {form.upper()}"))
    assert re.fullmatch(rf"memoryportal-\d{{4}}-\d\d-\d\d\.{form}", waiting.value.suggested_filename)
    return waiting.value.path().read_bytes().decode("utf-8-sig")


def erases_everything(alice: Person, memory: ScopedMemory) -> None:
    """Whoever goes ahead without proving who they are is asked, and nothing has happened yet."""
    before = memory.held()
    alice.follows("Erase")
    alice.arrives("Erase everything")
    _confirms(alice)
    proves_herself(alice)
    alice.arrives("Erase everything")
    assert memory.held() == before
    _confirms(alice)
    alice.arrives("Erased")
    expect(alice.page.locator("[data-erasure-state]")).to_have_attribute("data-erasure-state", "completed")
    alice.reads(re.compile(r"Your reference: \S+"))
    assert set(memory.held().values()) == {0}
    assert {(left.count, left.problem) for left in memory.residue()} == {(0, None)}


def _confirms(alice: Person) -> None:
    word = alice.page.locator("[data-confirm-word]").get_attribute("data-confirm-word") or ""
    alice.types("Type the word to go on", word)
    alice.presses("Erase now")


def sees_that_nothing_is_left(alice: Person) -> None:
    alice.follows("Memories")
    alice.arrives(LIST)
    alice.reads("Nothing is remembered about you.")
    assert alice.total() == 0


def leaves(alice: Person) -> None:
    """And whoever presses Back at this browser then is asked who they are."""
    alice.presses("Sign out")
    alice.arrives("What do assistants remember about you?")
    alice.page.go_back()
    alice.arrives("Sign in")
