"""The gateway's descriptions are CommonMark, as OpenAPI wants them; its page needs of that what stands in backticks."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
_CODE = re.compile(r"`([^`]+)`")


@register.filter
def coded(text: str) -> SafeString:
    """The text, escaped, with <code> round what stood in backticks."""
    parts = _CODE.split(text)
    return format_html_join("", "{}", ((_part(number, part),) for number, part in enumerate(parts)))


def _part(number: int, part: str) -> str:
    return format_html("<code>{}</code>", part) if number % 2 else part
