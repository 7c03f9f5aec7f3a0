"""Days and times, chosen from a form."""

from collections.abc import Mapping
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.schedules import UNANCHORED, Bounded, Cron, Repeat, Schedule, anchored, next_after
from headrace_core.schedules_calendar import Unit
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_flag, as_instant, as_list, as_object, as_text, as_zone, iso

from headrace_connectors.utils.timers import calendar

DEFAULT_ZONE = "GMT"
LAST_DAY = "last day of the month"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST_MONTH_DAY = 28  # every month has it


class SchedulerTrigger(Component):
    """Fires every day, on days of the week or of the month, or every so often, between two dates."""

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        zone = as_zone(properties.get("timezone"), DEFAULT_ZONE)
        start = calendar.bound(properties.get("start"), zone, "start")
        end = calendar.bound(properties.get("end"), zone, "end")
        try:
            rule = _rule(properties, zone.key, start)
            return None if rule is None else Bounded(rule, start, end)
        except ValidationFailed as error:
            raise CancelError(f"The schedule makes no sense. {error.message}") from error

    def fire_immediately(self, properties: Mapping[str, Json]) -> bool:
        return as_flag(properties.get("immediate"))

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateInspector"):
            await context.send_json(self._form(context))
            return
        fired = as_object(context.content)
        zone = as_zone(context.properties.get("timezone"), DEFAULT_ZONE)
        due, following = as_instant(fired.get("nominalDate")), as_instant(fired.get("nextDate"))
        if self.fire_immediately(context.properties) and not fired.get("previousDate"):
            due = None  # it fires because the flow starts, and no day was named
        await context.send_json(
            {
                "previousDate": iso(due) if due else None,
                "nextDateGMT": iso(following) if following else None,
                "nextDateLocal": _local(following, zone) if following else None,
                "timezone": zone.key,
            }
        )

    def _form(self, context: Context) -> Json:
        schedule = self.schedule(context.properties)
        following = next_after(anchored(schedule, context.now), context.now) if schedule else None
        when = f"The next run: {iso(following)}." if following else "No run is due: change the days or the end."
        return {"inputs": {"scheduleType": {"label": "Repeat", "tooltip": f"How often runs begin. {when}"}}}


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")


def _rule(properties: Mapping[str, Json], zone: str, start: datetime | None) -> Cron | Repeat | None:
    """The rule without its bounds; None when no day is chosen yet."""
    kind = as_text(properties.get("scheduleType")) or "custom"
    if kind == "custom":
        return _every(properties, zone, start or UNANCHORED)
    days = {"days": _all_days, "weeks": _days_of_week, "months": _days_of_month}.get(kind)
    if days is None:
        raise CancelError(f"There is no way {kind!r} to repeat: choose days, weeks, months or custom.")
    chosen = days(properties)
    if chosen is None:
        return None
    hour, minute = calendar.clock_time(properties.get("time"))
    day_of_month, day_of_week = chosen
    return Cron(str(minute), str(hour), day_of_month, "*", day_of_week, zone)


def _every(properties: Mapping[str, Json], zone: str, anchor: datetime) -> Repeat:
    count = calendar.whole_number(properties.get("customIntervalValue"))
    if count is None:
        raise CancelError("The interval is no whole number: write one from 1.")
    wanted = as_text(properties.get("customIntervalUnit"))
    for unit in get_args(Unit):
        if wanted == unit:
            return Repeat(count, unit, anchor, zone)
    raise CancelError(f"{wanted!r} is no unit: choose one of {', '.join(get_args(Unit))}.")


def _all_days(properties: Mapping[str, Json]) -> tuple[str, str] | None:
    return "*", "*"


def _days_of_week(properties: Mapping[str, Json]) -> tuple[str, str] | None:
    names = [name.lower() for name in _listed(properties.get("daysOfWeek"))]
    unknown = [name for name in names if name not in _WEEKDAYS]
    if unknown:
        raise CancelError(f"{unknown[0]!r} is no day of the week: choose from {', '.join(_WEEKDAYS)}.")
    return ("*", ",".join(name[:3].upper() for name in names)) if names else None


def _days_of_month(properties: Mapping[str, Json]) -> tuple[str, str] | None:
    days = [_day_of_month(name) for name in _listed(properties.get("daysOfMonth"))]
    return (",".join(days), "*") if days else None


def _day_of_month(name: str) -> str:
    if name == LAST_DAY:
        return "L"
    if not name.isdecimal() or not 1 <= int(name) <= _LONGEST_MONTH_DAY:
        raise CancelError(f"{name!r} is no day of every month: choose 1 to {_LONGEST_MONTH_DAY}, or the last day.")
    return str(int(name))


def _listed(value: Json) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else [as_text(each) for each in as_list(value)]
    return [part.strip() for part in parts if part.strip()]
