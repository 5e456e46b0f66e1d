"""A receipt as a page to print, as the signed file, and the check of somebody's file."""

from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from memoryportal.base.keys import key_ring
from memoryportal.erasure import receipt_words, receipts
from memoryportal.erasure.states import State

from .ways import Ways

LARGEST = 512 * 1024  # bytes of what is sent: a receipt has a few thousand
ENDS = {
    State.COMPLETED: "Erased: every place that can be read was read again, and each was empty",
    State.COMPLETED_WITH_EXCEPTIONS: "Erased, with the exceptions that are named below",
}
TOO_LARGE = receipts.Verdict(False, "This is too large to be a receipt.")


class Place(NamedTuple):
    """One line of the table: counts in words, because "not counted" is none."""

    label: str
    found: str
    erased: int
    left: str
    read_again: str
    problem: str
    empty: bool


def page(request: HttpRequest, document: dict[str, Any], ways: Ways) -> HttpResponse:
    """A stored receipt, to read and to print."""
    return render(request, "mydata/receipt.html", {**in_parts(document["receipt"]), "document": document, "ways": ways})


def file(document: dict[str, Any]) -> HttpResponse:
    """The same, as it is."""
    response = JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})
    name = f"memoryportal-receipt-{document['receipt']['reference']}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def in_parts(receipt: dict[str, Any]) -> dict[str, Any]:
    """What a receipt states, for _receipt.html."""
    moment = receipt_words.moment
    identified = receipt["identified"] or {}
    return {
        "receipt": receipt,
        "headline": ENDS.get(receipt["state"], "A request that has ended"),
        "asked_at": moment(receipt["asked"]["at"]),
        "law": receipt_words.law(receipt["asked"]["law"]),
        "shown_at": moment(identified.get("at")) if identified else "",
        "began_at": moment(receipt["began_at"]),
        "ended_at": moment(receipt["ended_at"]),
        "places": [_place(place) for place in receipt["places"]],
        "exceptions": [{**place, "at": moment(place["agreed_at"])} for place in receipt.get("exceptions", [])],
        "last_read": moment(max((at for place in receipt["places"] if (at := place["read_again_at"])), default=None)),
        "outside": [{**place, "at": moment(place["reported_at"])} for place in receipt["outside"]],
    }


def _place(place: dict[str, Any]) -> Place:
    found, left = place["found"], place["left"]
    return Place(
        label=place["label"],
        found="not counted" if found is None else str(found),
        erased=place["erased"],
        left="could not be read" if left is None else str(left),
        read_again=receipt_words.moment(place["read_again_at"]) if place["read_again_at"] else "not read again",
        problem=place["problem"],
        empty=left == 0 and not place["problem"],
    )


# --- checking --------------------------------------------------------------------------------------------------------


class CheckForm(forms.Form):
    """A receipt, as a file or as text."""

    file = forms.FileField(
        label="The file",
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": "application/json,.json"}),
    )
    text = forms.CharField(
        label="Or its text",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
    )

    def document(self) -> bytes:
        """What was given; the file first, which loses nothing."""
        given = self.cleaned_data["file"] or self.cleaned_data["text"]
        return given.encode("utf-8", "surrogatepass") if isinstance(given, str) else bytes(given.read())

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if not given.get("file") and not given.get("text"):
            raise ValidationError("Choose the file of a receipt, or paste its text.")
        return given


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Check a signature with this portal's keys. Nothing is looked up, and nothing is kept."""
    if request.method != "POST":
        return render(request, "mydata/verify.html", {"form": CheckForm()})
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return render(request, "mydata/verify.html", {"form": CheckForm(), "verdict": TOO_LARGE}, status=413)
    form = CheckForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(request, "mydata/verify.html", {"form": form}, status=422)
    verdict = receipts.verify(form.document(), key_ring().public)
    context = {"form": CheckForm(), "verdict": verdict}
    if verdict.receipt is not None:
        context |= in_parts(verdict.receipt)
    return render(request, "mydata/verify.html", context)
