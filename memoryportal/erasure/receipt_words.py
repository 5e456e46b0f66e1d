"""A receipt as people read it, sentence by sentence. For the command, and for pages that show a checked receipt."""

from typing import Any

from .receipts import Receipt
from .states import State

_ENDS = {
    State.COMPLETED: "Erased: every place that can be read was read again and was empty.",
    State.COMPLETED_WITH_EXCEPTIONS: "Erased, with the exceptions that are named below.",
}


def in_words(receipt: Receipt) -> list[str]:
    """Every statement of a receipt that `receipts.verify` found valid, in order."""
    parts = (_request, _outcome, _places, _exceptions, _search, _outside)
    said = [line for part in parts for line in part(receipt)]
    return [*said, *(f"Not promised: {limit}" for limit in receipt["limits"])]


def _request(receipt: Receipt) -> list[str]:
    asked, identified = receipt["asked"], receipt["identified"]
    about = f" (the assistant {asked['assistant']})" if asked["assistant"] else ""
    kept = " The list of stopped wordings was kept, as the person wished." if asked["stopped_wordings_kept"] else ""
    lines = [
        f"Receipt {receipt['reference']}, given by {receipt['controller']}.",
        f"To be erased: {asked['words']}{about}.{kept}",
        f"Asked {asked['channel']} on {moment(asked['at'])}, under {law(asked['law'])}.",
    ]
    if identified["how"]:
        lines.append(f"Who asks was shown on {moment(identified['at'])}: {identified['how']}.")
    if receipt["decided_by"]:
        lines.append(f"Decided by: {'; '.join(receipt['decided_by'])}.")
    return lines


def _outcome(receipt: Receipt) -> list[str]:
    return [
        f"Began on {moment(receipt['began_at'])}, ended on {moment(receipt['ended_at'])}.",
        _ENDS.get(receipt["state"], f"How it stands: {receipt['state']}."),
        f"Every place was read again {receipt['readings']} times.",
    ]


def _places(receipt: Receipt) -> list[str]:
    return [f"{place['label']}: {_place(place)}" for place in receipt["places"]]


def _place(place: dict[str, Any]) -> str:
    found = "not counted" if place["found"] is None else f"{place['found']} found"
    left = "could not be read again" if place["left"] is None else f"{place['left']} left"
    when = f" on {moment(place['read_again_at'])}" if place["read_again_at"] else ""
    problem = f" ({place['problem']})" if place["problem"] else ""
    return f"{found}, {place['erased']} erased, {left}{when}{problem}."


def _exceptions(receipt: Receipt) -> list[str]:
    return [
        f"{place['label']}: not read, because {place['words']}. Two people of the privacy team agreed on "
        f"{moment(place['agreed_at'])} that the request ends without it."
        for place in receipt.get("exceptions", [])  # the first receipts had none
    ]


def _search(receipt: Receipt) -> list[str]:
    search = receipt["search"]
    if search["asked"] is None:
        return [f"The search was not repeated: {search['not_repeated']}."]
    return [f"{search['asked']} questions were asked again; memories answered {search['answered']} of them."]


def _outside(receipt: Receipt) -> list[str]:
    return [
        f"Outside of this portal, {place['name']}: "
        + (
            f"{place['standing']}, on {moment(place['reported_at'])}."
            if place["reported_at"]
            else "not reported when this was signed."
        )
        for place in receipt["outside"]
    ]


def moment(text: str | None) -> str:
    """A time of a receipt: "2026-11-20 13:05:00 UTC"."""
    return text.replace("T", " ").replace("Z", " UTC") if text else "an unknown date"


def law(word: str) -> str:
    """The law that a request was counted under."""
    return {"gdpr": "the GDPR", "ccpa": "the CCPA", "both": "the GDPR and the CCPA"}.get(word, word)
