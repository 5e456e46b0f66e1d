"""Time zones by their IANA names, as people choose them."""

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.core.exceptions import ValidationError


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is a zone of this machine's time zone database."""
    if name != "UTC" and name not in zone_names():
        raise ValidationError("%(name)s is not a time zone that we know.", params={"name": name})


def zone(name: str) -> ZoneInfo:
    """The zone, or UTC for one that this machine's database no longer has: nobody is locked out by a rename."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@cache
def zone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Choices for a select, grouped by continent: UTC first, then places such as ("Europe/Berlin", "Berlin")."""
    groups: dict[str, list[tuple[str, str]]] = {"Universal": [("UTC", "UTC")]}
    for name in sorted(zone_names()):
        area, _, place = name.partition("/")
        if place and area not in {"Etc", "SystemV", "US", "posix", "right"}:
            groups.setdefault(area, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return list(groups.items())
