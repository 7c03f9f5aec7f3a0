"""Timers begin runs at the right times and say so; Wait holds a message as long as it was told."""

from datetime import UTC, datetime

import pytest
from headrace_connectors.utils.timers import calendar
from headrace_connectors.utils.timers.ListTimeZones.component import ListTimeZones
from headrace_connectors.utils.timers.Scheduler.component import Scheduler
from headrace_connectors.utils.timers.SchedulerTrigger.component import SchedulerTrigger
from headrace_connectors.utils.timers.Timer.component import Timer
from headrace_connectors.utils.timers.Wait.component import Wait
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_core.schedules import Cron, anchored, next_after
from headrace_sdk import CancelError, Component, JsonObject
from headrace_sdk.reading import as_list, as_object, iso
from headrace_sdk.testing import World, run_component

FRIDAY = datetime(2025, 4, 25, 7, 38, 12, tzinfo=UTC)


def firings(component: Component, properties: JsonObject, count: int) -> list[str]:
    """The first times at which a flow fires that starts on that Friday."""
    schedule = component.schedule(properties)
    moment: datetime | None = FRIDAY
    found: list[str] = []
    while schedule is not None and moment is not None and len(found) < count:
        moment = next_after(anchored(schedule, FRIDAY), moment)
        if moment is not None:
            found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_a_timer_counts_from_the_start_of_its_flow() -> None:
    assert firings(Timer(), {"interval": 30}, 2) == ["04-25 08:08", "04-25 08:38"]
    assert Timer().fire_immediately({})


@pytest.mark.parametrize("interval", [4, 35_001, 7.5, "often", None, 1e300])
def test_a_timer_refuses_an_interval_out_of_bounds(interval: Json) -> None:
    with pytest.raises(CancelError, match="whole number of minutes from 5 to 35000"):
        Timer().schedule({"interval": interval})


async def test_a_timer_says_how_long_ago_it_fired() -> None:
    first = await run_component(
        Timer, port="schedule", content={"now": "2026-01-01T00:00:00+00:00", "previousDate": None}
    )
    later = await run_component(
        Timer,
        port="schedule",
        content={"now": "2026-01-01T00:10:00+00:00", "previousDate": "2026-01-01T00:00:00+00:00"},
    )

    assert first.on("out") == [{"now": "2026-01-01T00:00:00.000Z"}]
    assert later.on("out") == [
        {"now": "2026-01-01T00:10:00.000Z", "lastTick": "2026-01-01T00:00:00.000Z", "elapsed": 600_000}
    ]


def test_a_scheduler_is_cron() -> None:
    fields: JsonObject = {"minute": "0", "hour": "8", "dayMonth": "*", "dayWeek": "MON", "timezone": "Europe/Prague"}

    assert Scheduler().schedule(fields) == Cron("0", "8", "*", "*", "MON", "Europe/Prague")
    assert not Scheduler().fire_immediately(fields)
    assert Scheduler().fire_immediately({**fields, "immediate": True})


@pytest.mark.parametrize(
    "change", [{"minute": "60"}, {"hour": ""}, {"timezone": "Mars/Base"}, {"dayMonth": "31,x"}, {"dayWeek": "9"}]
)
def test_a_scheduler_refuses_fields_that_make_no_sense(change: JsonObject) -> None:
    fields: JsonObject = {"minute": "0", "hour": "8", "dayMonth": "*", "dayWeek": "*"}
    with pytest.raises(CancelError, match="makes no sense"):
        Scheduler().schedule({**fields, **change})


async def test_a_scheduler_tells_the_times_around() -> None:
    content: JsonObject = {
        "now": "2026-01-01T08:00:01+00:00",
        "nominalDate": "2026-01-01T08:00:00+00:00",
        "previousDate": None,
        "nextDate": "2026-01-02T08:00:00+00:00",
    }

    outcome = await run_component(Scheduler, port="schedule", content=content)

    assert outcome.on("out") == [
        {"now": "2026-01-01T08:00:01.000Z", "previousDate": None, "nextDate": "2026-01-02T08:00:00.000Z"}
    ]


RULES: list[tuple[JsonObject, list[str]]] = [
    ({"scheduleType": "days", "time": "16:25"}, ["04-25 16:25", "04-26 16:25", "04-27 16:25"]),
    ({"scheduleType": "days", "time": "00:25"}, ["04-26 00:25", "04-27 00:25", "04-28 00:25"]),
    ({"scheduleType": "days"}, ["04-26 00:00", "04-27 00:00", "04-28 00:00"]),
    (
        {"scheduleType": "days", "time": "9", "timezone": "Europe/Istanbul"},
        ["04-26 06:00", "04-27 06:00", "04-28 06:00"],
    ),
    (
        {"scheduleType": "days", "time": "16:25", "start": "2025-05-01 15:30"},
        ["05-01 16:25", "05-02 16:25", "05-03 16:25"],
    ),
    ({"scheduleType": "days", "time": "16:25", "end": "2025-04-26 16:40"}, ["04-25 16:25", "04-26 16:25"]),
    ({"scheduleType": "weeks", "daysOfWeek": ["monday", "sunday"]}, ["04-27 00:00", "04-28 00:00", "05-04 00:00"]),
    ({"scheduleType": "weeks", "daysOfWeek": "Friday", "time": "16:25"}, ["04-25 16:25", "05-02 16:25", "05-09 16:25"]),
    ({"scheduleType": "weeks", "daysOfWeek": []}, []),
    (
        {"scheduleType": "months", "daysOfMonth": ["1", "15"], "time": "09:00"},
        ["05-01 09:00", "05-15 09:00", "06-01 09:00"],
    ),
    ({"scheduleType": "months", "daysOfMonth": "28, 5"}, ["04-28 00:00", "05-05 00:00", "05-28 00:00"]),
    (
        {"scheduleType": "months", "daysOfMonth": ["15", "last day of the month"]},
        ["04-30 00:00", "05-15 00:00", "05-31 00:00"],
    ),
    ({"scheduleType": "months", "daysOfMonth": []}, []),
    ({"customIntervalUnit": "hours", "customIntervalValue": 2}, ["04-25 09:38", "04-25 11:38", "04-25 13:38"]),
    (
        {"customIntervalUnit": "weeks", "customIntervalValue": "2", "start": "2025-05-01 08:00 GMT"},
        ["05-01 08:00", "05-15 08:00", "05-29 08:00"],
    ),
    (
        {
            "customIntervalUnit": "days",
            "customIntervalValue": 1,
            "start": "2025-04-20T08:00:00Z",
            "end": "2025-04-26T08:00:00Z",
        },
        ["04-25 08:00", "04-26 08:00"],
    ),
]


@pytest.mark.parametrize(("properties", "expected"), RULES)
def test_a_schedule_fires_when_its_form_says(properties: JsonObject, expected: list[str]) -> None:
    assert firings(SchedulerTrigger(), properties, 3) == expected


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"scheduleType": "years"}, "no way 'years'"),
        ({"scheduleType": "months", "daysOfMonth": ["31"]}, "'31' is no day of every month"),
        ({"scheduleType": "weeks", "daysOfWeek": ["someday"]}, "'someday' is no day"),
        ({"scheduleType": "days", "time": "25:00"}, "no time of the day"),
        ({"scheduleType": "days", "timezone": "Nowhere"}, "no time zone"),
        ({"scheduleType": "days", "start": "soon"}, "no date"),
        ({"scheduleType": "days", "start": "2025-05-02", "end": "2025-05-01"}, "before the start"),
        ({"customIntervalUnit": "days", "customIntervalValue": 0}, "does not move"),
        ({"customIntervalUnit": "days", "customIntervalValue": 1.5}, "no whole number"),
        ({"customIntervalUnit": "moons", "customIntervalValue": 1}, "no unit"),
    ],
)
def test_a_schedule_that_makes_no_sense_says_why(properties: JsonObject, message: str) -> None:
    with pytest.raises(CancelError, match=message):
        SchedulerTrigger().schedule(properties)


async def test_a_schedule_tells_the_next_time_in_both_clocks() -> None:
    content: JsonObject = {
        "now": "2025-04-25T06:00:01+00:00",
        "nominalDate": "2025-04-25T06:00:00+00:00",
        "previousDate": "2025-04-24T06:00:00+00:00",
        "nextDate": "2025-04-26T06:00:00+00:00",
    }
    zone: JsonObject = {"timezone": "Europe/Istanbul"}

    outcome = await run_component(SchedulerTrigger, port="schedule", content=content, properties=zone)
    last = await run_component(SchedulerTrigger, port="schedule", content={**content, "nextDate": None})

    assert outcome.on("out") == [
        {
            "previousDate": "2025-04-25T06:00:00.000Z",
            "nextDateGMT": "2025-04-26T06:00:00.000Z",
            "nextDateLocal": "2025-04-26T09:00:00+03:00",
            "timezone": "Europe/Istanbul",
        }
    ]
    assert as_object(last.on("out")[0])["nextDateGMT"] is None


async def test_firing_at_the_start_names_no_day_before() -> None:
    content: JsonObject = {"nominalDate": "2025-04-25T06:00:00+00:00", "previousDate": None, "nextDate": None}

    outcome = await run_component(
        SchedulerTrigger, port="schedule", content=content, properties={"immediate": True, "scheduleType": "days"}
    )

    assert as_object(outcome.on("out")[0])["previousDate"] is None


async def test_the_form_of_a_schedule_previews_the_next_run() -> None:
    world = World(clock=TestClock(FRIDAY))
    form: JsonObject = {"generateInspector": True, "scheduleType": "days", "time": "16:25"}

    shown = await run_component(SchedulerTrigger, properties=form, world=world)
    over = await run_component(SchedulerTrigger, properties={**form, "end": "2025-04-25 08:00"}, world=world)

    assert "2025-04-25T16:25:00.000Z" in str(shown.on("out")[0])
    assert "No run is due" in str(over.on("out")[0])


JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "due"),
    [
        ("90m", "2026-01-31T13:30:00.000Z"),
        ("2h", "2026-01-31T14:00:00.000Z"),
        (" 1d ", "2026-02-01T12:00:00.000Z"),
        ("2w", "2026-02-14T12:00:00.000Z"),
        ("1M", "2026-02-28T12:00:00.000Z"),
        ("12M", "2027-01-31T12:00:00.000Z"),
        ("1y", "2027-01-31T12:00:00.000Z"),
    ],
)
def test_a_span_is_added_by_the_calendar(span: str, due: str) -> None:
    assert iso(calendar.after(JANUARY, span)) == due


@pytest.mark.parametrize("span", ["", "5", "m", "5x", "-5m", "1.5h", "999999999y", "999999999w"])
def test_a_span_that_is_none_or_too_long_cancels(span: str) -> None:
    with pytest.raises(CancelError):
        calendar.after(JANUARY, span)


@pytest.mark.parametrize(
    ("content", "due"),
    [
        ({"interval": "1h"}, "2026-01-31T13:00:00.000Z"),
        ({"until": "2026-02-01"}, "2026-02-01T00:00:00.000Z"),
        ({"until": "2026-02-01T10:00:00+02:00"}, "2026-02-01T08:00:00.000Z"),
        ({"until": "2020-01-01"}, "2026-01-31T12:00:00.000Z"),
    ],
)
async def test_wait_sends_its_input_when_the_time_has_come(content: Json, due: str) -> None:
    clock = TestClock(JANUARY)
    world = World(clock=clock)

    waiting = await run_component(Wait, content=content, world=world)
    (timeout,) = waiting.timeouts
    clock.advance(timeout.due - clock.now())
    done = await run_component(Wait, port="timeout", content=timeout.content, world=world)

    assert waiting.outputs == []
    assert iso(timeout.due) == due
    assert done.outputs == [("out", content)]


async def test_a_wait_of_months_goes_on_from_timeout_to_timeout() -> None:
    clock = TestClock(JANUARY)
    world = World(clock=clock)

    waiting = await run_component(Wait, content={"interval": "3M"}, world=world)
    days: list[int] = []
    while waiting.timeouts:
        (timeout,) = waiting.timeouts
        days.append((timeout.due - clock.now()).days)
        clock.advance(timeout.due - clock.now())
        waiting = await run_component(Wait, port="timeout", content=timeout.content, world=world)

    assert days == [30, 30, 29]
    assert clock.now() == datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert waiting.outputs == [("out", {"interval": "3M"})]


@pytest.mark.parametrize("content", [{}, {"interval": " "}, {"until": "someday"}, {"interval": "5 minutes"}])
async def test_wait_without_a_time_cancels(content: Json) -> None:
    with pytest.raises(CancelError):
        await run_component(Wait, content=content)


async def test_time_zones_become_options_of_the_timers() -> None:
    answer = (await run_component(ListTimeZones)).on("out")[0]

    assert len(as_list(ListTimeZones.transforms["timezonesToSelectArray"](answer))) > 300
