"""The time zones of the world, for the two components that list them."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from headrace_core import Json
from headrace_sdk import JsonObject
from headrace_sdk.reading import as_list, as_object

_REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
_WITHOUT_REGION = ("UTC", "GMT")


def time_zones() -> JsonObject:
    """All zones as `{"timezones": [{"name", "timezone"}]}`, by their IANA names."""
    listed: list[Json] = [{"name": _spoken(zone), "timezone": zone} for zone in _zones()]
    return {"timezones": listed}


def to_options(answer: Json) -> Json:
    """The zones as options of a select field."""
    zones = [as_object(each) for each in as_list(as_object(answer).get("timezones"))]
    return [{"label": f"{zone['name']} ({zone['timezone']})", "value": zone["timezone"]} for zone in zones]


@cache
def _zones() -> tuple[str, ...]:
    regional = (zone for zone in available_timezones() if zone.partition("/")[0] in _REGIONS)
    return (*_WITHOUT_REGION, *sorted(regional))


def _spoken(zone: str) -> str:
    region, _, place = zone.replace("_", " ").rpartition("/")
    return f"{place}, {region.replace('/', ', ')}" if region else place
