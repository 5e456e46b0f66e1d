"""Where the buttons and links of a deletion request's pages lead; empty where there is no such way (now)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ways:
    """Paths. The pages of an account and those of a secret link show the same, by different ways."""

    here: str
    go_on: str = ""
    cancel: str = ""
    begin: str = ""
    link: str = ""
    receipt: str = ""
    file: str = ""
    allow: str = ""
