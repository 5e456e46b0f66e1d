"""Words in backticks on the gateway's page."""

import pytest

from memoryportal.agent.templatetags.gateway import coded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`next` of the page", "<code>next</code> of the page"),
        ("one ` alone", "one ` alone"),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("", ""),
    ],
)
def test_what_stands_in_backticks_is_code_and_everything_is_escaped(text: str, shown: str) -> None:
    assert coded(text) == shown
