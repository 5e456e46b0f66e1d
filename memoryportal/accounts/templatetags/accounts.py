from django import template

register = template.Library()

# The order matters: Edge and Opera also call themselves Chrome, Chrome also calls itself Safari.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """ "Firefox on Linux" for a User-Agent header, so that people know their own devices again."""
    name = _first(user_agent, _BROWSERS, "A browser")
    system = _first(user_agent, _SYSTEMS, "")
    return f"{name} on {system}" if system else name


def _first(text: str, words: tuple[tuple[str, str], ...], otherwise: str) -> str:
    return next((name for word, name in words if word in text), otherwise)
