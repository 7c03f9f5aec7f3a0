"""A steady rhythm."""

from collections.abc import Mapping
from datetime import timedelta

from headrace_core import Json
from headrace_core.schedules import UNANCHORED, Repeat, Schedule
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_instant, as_object, iso

from headrace_connectors.utils.timers import calendar

SHORTEST_MINUTES = 5
LONGEST_MINUTES = 35_000


class Timer(Component):
    """Fires when its flow starts, and every so many minutes from then on."""

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        minutes = calendar.whole_number(properties.get("interval"))
        if minutes is None or not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
            span = f"{SHORTEST_MINUTES} to {LONGEST_MINUTES}"
            raise CancelError(f"The interval is no whole number of minutes from {span}: write one.")
        return Repeat(minutes, "minutes", UNANCHORED)

    def fire_immediately(self, properties: Mapping[str, Json]) -> bool:
        return True

    async def receive(self, context: Context) -> None:
        fired = as_object(context.content)
        now = as_instant(fired.get("now")) or context.now
        sent: JsonObject = {"now": iso(now)}
        last = as_instant(fired.get("previousDate"))
        if last is not None:
            sent |= {"lastTick": iso(last), "elapsed": (now - last) // timedelta(milliseconds=1)}
        await context.send_json(sent)
