"""What somebody does who wants to be forgotten, step by step, with an account and without one."""

import json
import re
from typing import Any

from django.core import mail
from playwright.sync_api import expect
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.base.keys import key_ring
from memoryportal.erasure import receipts
from memoryportal.erasure.models import Erasure
from tests.accounts.helpers import links_in

from .journey import proves_herself
from .looking import Looking
from .person import Person, keep_picture

SCOPES = {
    "everything": "Everything that is remembered",
    "account": "Everything that is remembered, and my account here",
    "assistant": "Only what one assistant remembers",
}


class Careful(Person):
    """Whatever they are shown is also looked at as axe does, where a script may run."""

    def __init__(self, page: Any, album: str, axe: bool) -> None:
        super().__init__(page, album)
        self.looking = Looking(page) if axe else None

    def looks(self, what: str) -> None:
        super().looks(what)
        if self.looking is not None:
            self.looking.at(f"{self.album} {what}")
            assert self.looking.problems == []


def worker_works() -> None:
    """What is queued is done, one job after the other, until nothing is left."""
    while (job := ProcrastinateJob.objects.filter(status="todo").order_by("pk").first()) is not None:
        ProcrastinateJob.objects.filter(pk=job.pk).delete()
        app.tasks[job.task_name].func(**job.args)


def link_of_the_last_mail(to: str) -> str:
    letter = mail.outbox[-1]
    assert letter.to == [to]
    (path,) = [path for path in links_in(letter.body) if path.startswith("/requests/")]
    return path


# --- with an account -------------------------------------------------------------------------------------------------


def erases(alice: Person, scope: str, agent: str = "") -> None:
    """From the list to the end, with the proof of who she is."""
    alice.follows("Erase")
    alice.arrives("Erase everything")
    alice.follows("Confirm that it is you")
    proves_herself(alice)
    alice.arrives("Erase everything")
    alice.page.get_by_label(SCOPES[scope], exact=True).check(force=True)
    if agent:
        alice.page.get_by_label("Which assistant?").select_option(agent)
    alice.looks(f"erasing {scope}")
    word = alice.page.locator("[data-confirm-word]").get_attribute("data-confirm-word") or ""
    alice.types("Type the word to go on", word)
    alice.presses("Erase now")


def lets_assistants_begin_again(alice: Person) -> None:
    alice.reads("May your assistants start remembering again?")
    alice.presses("Let them remember again")
    alice.page.get_by_text("From now on your assistants may remember new things about you.").wait_for()
    expect(alice.page.get_by_text("May your assistants start remembering again?")).to_have_count(0)
    alice.looks("allowed again")


# --- without one -----------------------------------------------------------------------------------------------------


def asks_without_an_account(person: Person, address: str, told: str) -> None:
    person.opens("/")
    person.follows("have your data erased without one")
    person.arrives("Have your data erased")
    person.types("Your e-mail address", address)
    person.types("How does the assistant know you?", told)
    person.presses("Send the request")
    person.arrives("Look into your e-mail")


def confirms(person: Person, path: str, told: str) -> None:
    """The token is out of the address before the page is there, and nothing has happened yet."""
    person.opens(path)
    person.arrives("Was it you?")
    assert person.page.url.endswith("/requests/confirm/")
    person.reads(told)
    person.presses("Yes, it was me: erase")


# --- in the end ------------------------------------------------------------------------------------------------------


def sees_it_erased(person: Person, erasure: Erasure) -> None:
    person.arrives("Erased")
    expect(person.page.locator("[data-erasure-state]")).to_have_attribute("data-erasure-state", "completed")
    person.reads(f"Your reference: {erasure.reference}")
    person.reads(re.compile(r"\d+ entries found, \d+ removed\. Read again on .*: empty\."))


def prints_the_receipt(person: Person, erasure: Erasure) -> bytes:
    """The page, how it comes out of a printer, and the signed file."""
    person.follows("See the receipt")
    person.arrives("Receipt of a deletion")
    person.reads(erasure.reference)
    person.page.emulate_media(media="print")
    for hidden in ("Download the signed file", "Back to the request"):
        expect(person.page.get_by_text(hidden)).to_be_hidden()
    keep_picture(person.page, person.album, "the printed receipt")
    person.page.emulate_media(media="screen")
    with person.page.expect_download() as waiting:
        person.follows("Download the signed file")
    assert waiting.value.suggested_filename == f"memoryportal-receipt-{erasure.reference}.json"
    content = waiting.value.path().read_bytes()
    assert json.loads(content) == Erasure.objects.get(pk=erasure.pk).receipt
    assert receipts.verify(content, key_ring().public).valid
    return content


def checks_the_receipt(person: Person, erasure: Erasure, content: bytes) -> None:
    """As anybody can who is handed the file; a changed one is found out."""
    changed = content.replace(b'"left": 0', b'"left": 1', 1)
    for file, says in ((content, "The signature is valid"), (changed, "This cannot be confirmed")):
        person.opens("/requests/verify/")
        person.arrives("Check a receipt")
        upload = {"name": "receipt.json", "mimeType": "application/json", "buffer": file}
        person.page.get_by_label("The file").set_input_files([upload])
        person.presses("Check it")
        person.page.get_by_role("heading", name=says).wait_for()
        person.looks(says)
    expect(person.page.get_by_text(erasure.reference)).to_have_count(0)
