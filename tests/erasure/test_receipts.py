"""Receipts: what they state, and that nothing of what they state can be changed afterwards."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from memoryportal.accounts.models import User
from memoryportal.base.keys import KeyRing, key_ring
from memoryportal.erasure import receipts
from memoryportal.erasure.models import Channel, Erasure, ErasureStep, Identified, OutsidePlace, Scope
from memoryportal.erasure.receipt_words import in_words
from memoryportal.erasure.states import State
from memoryportal.memory.bulk import abilities
from memoryportal.memory.places import PLACES
from memoryportal.memory.stores import platform, qdrant, valkey

from .stating import as_file, check, document, stated

FORGED = "The signature does not fit: this receipt was changed after it was signed, or is forged."
NO_RECEIPT = "This is not a receipt of a deletion, or a part of it is missing or was changed."
NO_JSON = "This cannot be read as a receipt. Take the file just as it was downloaded."


# --- what is stated ---------------------------------------------------------------------------------------------------


def ended(account: User, **about: Any) -> Erasure:
    """A request as the engine has it when it ends, not saved: a statement reads it and its parts only."""
    now = timezone.now()
    given = {"scope": Scope.EVERYTHING, "channel": Channel.SELF, "identified_how": Identified.SESSION, **about}
    erasure = Erasure.objects.create(
        account=account, subjects=[account.subject], identified_at=now, began_at=now, ended_at=now, **given
    )
    erasure.state = State.COMPLETED
    for order, place in enumerate(("memories", "history")):
        ErasureStep.objects.create(
            erasure=erasure, order=order, place=place, found=3, removed=3, left=0, verified_at=now
        )
    return erasure


def test_a_statement_says_what_was_asked_and_found(alice: User, settings: Any) -> None:
    settings.CONTROLLER_NAME = "Example Ltd"
    erasure = ended(alice, questions=3, answered=0, law="both")
    OutsidePlace.objects.create(erasure=erasure, name="CRM", reported_at=erasure.ended_at, note="by Miriam")
    OutsidePlace.objects.create(erasure=erasure, name="Lake")
    said = receipts.statement(erasure)
    when = erasure.ended_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (said["reference"], said["controller"], said["state"]) == (erasure.reference, "Example Ltd", "completed")
    assert said["asked"]["words"] == "everything that is remembered"
    assert (said["asked"]["law"], said["asked"]["assistant"]) == ("both", None)
    assert said["identified"] == {"how": "signed in and confirmed", "at": when}
    assert said["decided_by"] == ["the person"]
    assert said["places"][0] == {
        "place": "memories",
        "label": PLACES["memories"].label,
        "found": 3,
        "erased": 3,
        "left": 0,
        "problem": "",
        "read_again_at": when,
    }
    assert said["readings"] == 2
    assert said["search"] == {"asked": 3, "answered": 0, "not_repeated": ""}
    assert said["outside"] == [
        {"name": "CRM", "reported_at": when, "standing": "reported, not verified by us"},
        {"name": "Lake", "reported_at": None, "standing": "reported, not verified by us"},
    ]
    assert check(as_file(receipts.sign(said))).valid


def test_an_assistant_is_named_where_the_request_is_about_it(alice: User) -> None:
    said = receipts.statement(ended(alice, scope=Scope.ASSISTANT, agent="travel_planner", keep_never=True))
    assert said["asked"]["assistant"] == "travel_planner"
    assert said["asked"]["stopped_wordings_kept"] is True
    assert check(as_file(receipts.sign(said))).valid


def test_who_decided_is_said_by_role_and_never_by_name(alice: User, bob: User) -> None:
    erasure = ended(
        alice,
        channel=Channel.PRIVACY,
        identified_how=Identified.OFFICER,
        identified_by=bob,
        attached_by=bob,
        approved_by=bob,
        approved_at=timezone.now(),
        sweeps=2,
        address="alice@moon.example",
        told="I am the one with the red bicycle",
        ticket="T-17",
        identity_note="called her back",
    )
    said = receipts.statement(erasure)
    assert said["decided_by"] == [
        "the privacy team, who checked who asks",
        "the privacy team, who found out whose data it is",
        "a second person of the privacy team",
    ]
    assert said["readings"] == 6, "after the first ones everything was read again twice more, two times each"
    assert said["search"]["asked"] is None
    assert said["search"]["not_repeated"]
    text = as_file(receipts.sign(said)).decode()
    for private in (
        alice.subject,
        alice.email,
        bob.email,
        "moon",
        "bicycle",
        "T-17",
        "called her",
        str(erasure.pk),
    ):
        assert private not in text


def test_what_stands_outside_of_every_promise_is_named(alice: User) -> None:
    limits = " ".join(receipts.statement(ended(alice))["limits"])
    for word in (
        "write-ahead log",
        "backups",
        "deleted rows",
        "overwritten at once",
        "other machines",
        "Providers",
        "assistants",
    ):
        assert word in limits


@pytest.fixture
def hosted(settings: Any) -> None:
    settings.MEM0_API_KEY, settings.MEM0_HOST = "m0-key", "http://127.0.0.1:9"


@pytest.mark.usefixtures("hosted")
def test_the_limits_of_the_store_are_among_them(alice: User) -> None:
    assert abilities().limits
    assert set(abilities().limits) <= set(receipts.statement(ended(alice))["limits"])
    assert any("Platform's internals" in limit for limit in receipts.statement(ended(alice))["limits"])


def test_a_place_that_could_not_be_read_is_told_from_an_empty_one(alice: User) -> None:
    erasure = ended(alice)
    ErasureStep.objects.create(erasure=erasure, order=9, place="history-files", problem="is not there")
    place = receipts.statement(erasure)["places"][-1]
    assert (place["found"], place["left"], place["problem"], place["read_again_at"]) == (
        None,
        None,
        "is not there",
        None,
    )


def test_everything_that_is_stated_is_said_in_words() -> None:
    verdict = check(as_file(document()))
    assert verdict.receipt is not None
    words = "\n".join(in_words(verdict.receipt))
    for said in (
        "Receipt MP-7K3Q-92XA, given by Käse & Söhne “GmbH”.",
        "what one assistant remembers (the assistant café_planner). The list of stopped wordings was kept",
        "Asked by the person, signed in on 2026-11-20 09:00:00 UTC, under the GDPR.",
        "Decided by: the person.",
        "Memories: 71 found, 71 erased, 0 left on 2026-11-20 09:00:02 UTC.",
        "History files: not counted, 0 erased, could not be read again (mem0's history file 1",
        "20 questions were asked again; memories answered 0 of them.",
        "Outside of this portal, CRM: reported, not verified by us, on 2026-11-20 09:00:00 UTC.",
        "Outside of this portal, Data warehouse: not reported when this was signed.",
        "Not promised: Backups keep older bytes.",
        "with the exceptions that are named below",
    ):
        assert said in words


def test_what_is_not_promised_is_said_in_sentences_for_people() -> None:
    """No command, no name of a file: whoever reads a receipt runs nothing."""
    for limit in (*receipts.LIMITS, *(limit for store in (platform, qdrant, valkey) for limit in store.LIMITS)):
        assert not set("`_<>") & set(limit), limit
        assert "manage.py" not in limit
        assert limit.endswith((".", "!")), limit


# --- signing ----------------------------------------------------------------------------------------------------------


def test_the_signature_is_over_canonical_json() -> None:
    assert receipts.canonical({"b": 1, "a": ["e\u0301", None, True]}) == '{"a":["é",null,true],"b":1}'.encode()


def test_a_receipt_names_its_key_and_fits_no_other(tmp_path: Path) -> None:
    signed = document()
    assert signed["signature"]["alg"] == "EdDSA"
    assert signed["signature"]["kid"] in key_ring().public
    assert check(as_file(signed)).why.endswith(f"{signed['signature']['kid']}.")
    stranger = receipts.verify(as_file(signed), KeyRing(tmp_path).public)
    assert (stranger.valid, stranger.receipt) == (False, None)
    assert "not among the keys" in stranger.why


@pytest.mark.parametrize(
    "how", [{}, {"indent": 4}, {"ensure_ascii": True}, {"separators": (",", ":")}, {"sort_keys": True}]
)
def test_another_way_to_write_the_same_is_still_valid(how: dict[str, Any]) -> None:
    content = as_file(document(), **how)
    assert check(content).valid
    assert check(content.decode()).valid
    assert check(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")).valid
    assert check(unicodedata.normalize("NFD", content.decode())).valid


# --- verifying --------------------------------------------------------------------------------------------------------

ORIGINAL = stated()


def same(content: bytes, signed: dict[str, Any]) -> bool:
    """Whether a file says the same, whatever its spaces and escapes."""
    try:
        return bool(json.loads(unicodedata.normalize("NFC", content.decode("utf-8-sig"))) == signed)
    except ValueError:
        return False


@given(data=st.data())
def test_any_altered_byte_is_detected(data: Any) -> None:
    signed = document()
    content = bytearray(as_file(signed))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    verdict = check(bytes(content))
    assert verdict.valid == same(bytes(content), signed)
    assert (verdict.receipt is not None) == verdict.valid


@pytest.mark.parametrize(
    "path", [("reference",), ("places", 0, "left"), ("asked", "at"), ("limits",), ("state",), ("readings",)]
)
def test_any_other_statement_is_detected(path: tuple[Any, ...]) -> None:
    signed = document()
    part = signed["receipt"]
    for step in path[:-1]:
        part = part[step]
    other = {"reference": "MP-0000-0000", "left": 1, "at": "2026-11-21T09:00:00Z", "limits": [], "state": "completed"}
    part[path[-1]] = other.get(path[-1], 7)
    assert check(as_file(signed)) == receipts.Verdict(False, FORGED)


def test_a_signature_for_another_purpose_is_none() -> None:
    signed = document()
    other = key_ring().sign("audit-head", receipts.canonical(signed["receipt"]))
    signed["signature"]["value"] = other.value
    assert check(as_file(signed)) == receipts.Verdict(False, FORGED)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", NO_JSON),
        (b"MP-7K3Q-92XA", NO_JSON),
        (b"\xff\xfe\x00", "This file is not text, so it is no receipt."),
        (b"\x89PNG\r\n\x1a\n\xff", "This file is not text, so it is no receipt."),
        (b"[" * 1_000_000, NO_JSON),
        (b'{"a":' * 500_000 + b"1" + b"}" * 500_000, NO_JSON),
        (b"[]", NO_RECEIPT),
        (b"null", NO_RECEIPT),
        (b"7", NO_RECEIPT),
        (b"1e999", NO_JSON),
        (b"NaN", NO_JSON),
        (b"9" * 5000, NO_JSON),
        (b"{}", NO_RECEIPT),
        (b'{"receipt": {}, "signature": {}}', NO_RECEIPT),
        (b" " * (receipts.MAX_BYTES + 1), "This file is too large to be a receipt."),
        (None, "This is no file."),
        ({"receipt": {}}, "This is no file."),
    ],
)
def test_garbage_is_refused_in_words(content: object, said: str) -> None:
    assert check(content) == receipts.Verdict(False, said)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_garbage_raises(content: bytes | str) -> None:
    assert not check(content).valid


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    ),
    st.sampled_from([("receipt",), ("signature",), ("signature", "value"), *(("receipt", name) for name in ORIGINAL)]),
)
def test_no_wrong_type_raises_or_passes(value: Any, path: tuple[str, ...]) -> None:
    signed = document()
    part: Any = signed
    for step in path[:-1]:
        part = part[step]
    before = part[path[-1]]
    part[path[-1]] = value
    assert check(as_file(signed, ensure_ascii=True)).valid == (type(value) is type(before) and value == before)


@pytest.mark.parametrize("name", ["reference", "receipt", "kid", "left"])
def test_a_name_that_stands_twice_is_refused(name: str) -> None:
    text = as_file(document()).decode()
    (first, rest) = text.split(f'"{name}": ', 1)
    assert check(f'{first}"{name}": "MP-0000-0000", "{name}": {rest}') == receipts.Verdict(False, NO_JSON)


@pytest.mark.parametrize("where", ["receipt", "asked", "signature"])
@pytest.mark.parametrize("change", ["more", "less"])
def test_a_statement_with_more_or_fewer_names_is_refused(where: str, change: str) -> None:
    signed = document()
    part = signed["receipt"]["asked"] if where == "asked" else signed[where]
    if change == "more":
        part["note"] = "certified"
    else:
        part.popitem()
    assert check(as_file(signed)) == receipts.Verdict(False, NO_RECEIPT)


def test_half_a_letter_is_refused() -> None:
    signed = as_file(document(), ensure_ascii=True).replace(b"\\u00f6", b"\\ud800")
    assert check(signed) == receipts.Verdict(False, NO_JSON)


@pytest.mark.parametrize("value", ["A" * 128, "0" * 127, "0" * 128, " " + "0" * 127])
def test_a_signature_in_another_form_is_refused(value: str) -> None:
    signed = document()
    upper = signed["signature"]["value"].upper()
    for form in (value, upper):
        signed["signature"]["value"] = form
        assert not check(as_file(signed)).valid


def test_a_receipt_of_an_old_key_stays_valid_after_a_rotation(settings: Any, tmp_path: Path) -> None:
    from tests.base.test_keys import add_key

    settings.KEY_DIR = tmp_path
    signed = as_file(document())
    add_key(tmp_path, 60)
    ring = KeyRing(tmp_path)
    assert len(ring.public) == 2
    assert receipts.verify(signed, ring.public).valid
