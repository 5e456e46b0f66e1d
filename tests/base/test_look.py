"""What the frame of every page promises: readable colours, a small first visit, nothing that the content policy would
block.
"""

import gzip
import re
from pathlib import Path

import django_htmx
import pytest
from django import forms

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static/css/app.css").read_text()
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))

SURFACES = ("bg", "surface", "sunken")
# (foreground, backgrounds, least ratio): WCAG 2.2, 1.4.3 for text and 1.4.11 for borders, marks and focus rings.
PAIRS = [
    ("ink", (*SURFACES, "accent-soft", "warning-soft", "danger-soft", "success-soft"), 4.5),
    ("quiet", SURFACES, 4.5),
    ("accent", (*SURFACES, "accent-soft", "warning-soft", "danger-soft", "success-soft"), 4.5),
    ("accent-strong", (*SURFACES, "accent-soft"), 4.5),
    ("danger", ("bg", "surface", "danger-soft"), 4.5),
    ("warning", ("bg", "surface", "warning-soft"), 4.5),
    ("success", ("bg", "surface", "success-soft"), 4.5),
    ("on-accent", ("accent", "accent-strong"), 4.5),
    ("on-danger", ("danger-fill", "danger-strong"), 4.5),
    ("surface", ("success", "danger"), 4.5),
    ("line-strong", ("bg", "surface"), 3.0),
    ("danger-fill", ("bg", "surface"), 3.0),
]


def colours(theme: str) -> dict[str, str]:
    """The custom properties of a theme; the dark one only overrides the light one."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks[:2])
    return light if theme == "light" else light | dark


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", 0..1 (WCAG 2.2, definition)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_is_readable_where_it_is_used(theme: str) -> None:
    palette = colours(theme)
    poor = [
        (front, back, round(contrast(palette[front], palette[back]), 2))
        for front, backs, least in PAIRS
        for back in backs
        if contrast(palette[front], palette[back]) < least
    ]
    assert poor == []


def test_the_first_visit_is_small() -> None:
    script = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
    packed = {p.name: len(gzip.compress(p.read_bytes())) for p in (ROOT / "static/js/app.js", script)}
    packed["app.css"] = len(gzip.compress(CSS.encode()))
    assert packed["app.css"] < 10_000
    assert packed["app.js"] < 3_000
    assert sum(packed.values()) < 50_000  # 10 kB are left for the page itself


def test_the_stylesheet_and_script_ask_nobody_else() -> None:
    script = (ROOT / "static/js/app.js").read_text()
    assert re.findall(r"@import|url\(|https?:", CSS + script) == []
    # Nothing is put into the browser's storage; what htmx puts there is taken out.
    asked = re.findall(r"localStorage|sessionStorage(?!\.removeItem)|innerHTML|\beval\b|new Function", script)
    assert asked == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_needs_what_the_content_policy_blocks(template: Path) -> None:
    text = template.read_text()
    if template == ROOT / "templates/mydata/export/_head.html":
        # The readable export is a file of its own, opened without us: its style is inside, under a policy of its own.
        assert "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"" in text
        text = text.replace("<style>", "")
    blocked = (
        r"""\sstyle=|<style|\son\w+=["']|hx-on|javascript:|\bjs:|\|\s*safe\b|"""
        r"""<script(?![^>]*(?:src=|type="application/json"))"""
    )
    assert re.findall(blocked, text) == []


class Sample(forms.Form):
    text = forms.CharField(help_text="Up to 8000 characters.")
    why = forms.ChoiceField(choices=[("a", "It was never true"), ("b", "It is out of date")], widget=forms.RadioSelect)
    sure = forms.BooleanField(label="I have read this")

    def clean(self) -> None:
        self.add_error(None, "It was changed in the meantime.")


def ids(html: str) -> set[str]:
    return set(re.findall(r'\sid="([^"]+)"', html))


def test_the_error_summary_names_every_fault_and_leads_to_its_control() -> None:
    html = str(Sample({}))
    summary = html[: html.index('class="field')]
    assert re.findall(r'<a href="#([^"]+)">([^<]+)</a>', summary) == [
        ("id_text", "Text: This field is required."),
        ("id_why_0", "Why: This field is required."),
        ("id_sure", "I have read this: This field is required."),
    ]
    assert "<li>It was changed in the meantime.</li>" in summary
    assert {"id_text", "id_why_0", "id_sure"} <= ids(html)


def test_help_and_errors_are_tied_to_their_controls() -> None:
    html = str(Sample({}))
    described = set(" ".join(re.findall(r'aria-describedby="([^"]+)"', html)).split())
    assert described == {"id_text_helptext", "id_text_error", "id_why_error", "id_sure_error"}
    assert described <= ids(html)


def test_a_form_without_faults_has_no_summary() -> None:
    assert "error" not in str(Sample())


def test_what_a_person_typed_is_escaped_in_the_form() -> None:
    html = str(Sample({"text": "<script>alert(1)</script>", "why": '"><b>', "sure": "on"}))
    assert "<script>" not in html
    assert "<b>" not in html
