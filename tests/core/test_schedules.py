"""Schedules say what is due next, and what is owed after a rest: never early, never missed, never twice."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from headrace_core import Json, schedules
from headrace_core.errors import ValidationFailed
from headrace_core.schedules import (
    Bounded,
    Cron,
    Interval,
    MisfirePolicy,
    Once,
    Repeat,
    Schedule,
    last_until,
    misfires,
    next_after,
    parse_cron,
)
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Interval(MINUTE, NOON)

SCHEDULES: list[Schedule] = [
    Once(NOON),
    EVERY_MINUTE,
    Interval(timedelta(seconds=0.25), NOON),
    parse_cron("*/5 9-17 * * MON-FRI", "Europe/Prague"),
    Repeat(2, "weeks", NOON, "America/New_York"),
    Bounded(parse_cron("0 0 L * *"), NOON, NOON + timedelta(days=100)),
    Bounded(Repeat(1, "days", NOON), None, None),
]

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))
INTERVALS = st.builds(Interval, st.timedeltas(timedelta(seconds=1), timedelta(days=400)), INSTANTS)
ANY: st.SearchStrategy[Schedule] = st.one_of(
    INTERVALS,
    st.builds(Once, INSTANTS),
    st.sampled_from([each for each in SCHEDULES if isinstance(each, Cron | Repeat)]),
)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda each: type(each).__name__)
def test_a_schedule_survives_its_stored_form(schedule: Schedule) -> None:
    assert schedules.from_json(orjson.loads(orjson.dumps(schedules.to_json(schedule)))) == schedule


@given(ANY)
def test_any_schedule_survives_its_stored_form(schedule: Schedule) -> None:
    assert schedules.from_json(schedules.to_json(schedule)) == schedule


@settings(deadline=None)
@given(ANY, INSTANTS)
def test_feeding_answers_back_strictly_rises(schedule: Schedule, after: datetime) -> None:
    for _ in range(4):
        due = next_after(schedule, after)
        if due is None:
            break
        assert due > after
        assert next_after(schedule, due - timedelta(microseconds=1)) == due
        after = due


def test_once_is_due_once() -> None:
    assert next_after(Once(NOON), NOON - MINUTE) == NOON
    assert next_after(Once(NOON), NOON) is None


def test_an_interval_begins_at_its_anchor_and_keeps_to_it() -> None:
    assert next_after(EVERY_MINUTE, NOON - timedelta(days=9)) == NOON
    assert next_after(EVERY_MINUTE, NOON) == NOON + MINUTE
    assert next_after(EVERY_MINUTE, NOON + timedelta(seconds=90)) == NOON + 2 * MINUTE


def test_the_calendar_ends_quietly() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    assert next_after(EVERY_MINUTE, end) is None
    assert next_after(Interval(timedelta(days=1_000_000), NOON), NOON + timedelta(days=2_000_000)) is None


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_after(EVERY_MINUTE, datetime(2026, 1, 1))
    with pytest.raises(ValidationFailed, match="no time zone"):
        Once(datetime(2026, 1, 1))
    with pytest.raises(ValidationFailed, match="does not move"):
        Interval(timedelta(), NOON)


DUE_SINCE = [NOON + MINUTE * each for each in range(1, 11)]


@pytest.mark.parametrize(
    ("policy", "limit", "expected"),
    [
        ("fire_once", 100, DUE_SINCE[-1:]),
        ("fire_all", 100, DUE_SINCE),
        ("fire_all", 3, DUE_SINCE[:3]),
        ("skip", 100, DUE_SINCE[-2:]),  # a minute late at most
        ("fire_once", 0, []),
    ],
)
def test_a_policy_says_what_is_owed(policy: MisfirePolicy, limit: int, expected: list[datetime]) -> None:
    now = NOON + timedelta(minutes=10)
    schedule = Interval(MINUTE, NOON)
    found = misfires(schedule, NOON, now, policy, limit)

    assert found == expected


def test_skip_drops_what_is_late_and_keeps_what_is_on_time() -> None:
    hourly = parse_cron("0 * * * *")

    assert misfires(hourly, NOON, NOON + timedelta(hours=3, minutes=30), "skip") == []
    assert misfires(hourly, NOON, NOON + timedelta(hours=3, seconds=5), "skip") == [NOON + timedelta(hours=3)]


@pytest.mark.parametrize("policy", ["fire_once", "fire_all", "skip"])
def test_nothing_is_owed_before_it_is_due(policy: MisfirePolicy) -> None:
    assert misfires(EVERY_MINUTE, NOON, NOON + timedelta(seconds=59), policy) == []
    assert misfires(Once(NOON), NOON, NOON + MINUTE, policy) == []


@pytest.mark.parametrize("schedule", SCHEDULES[1:], ids=lambda each: type(each).__name__)
def test_the_latest_is_found_over_a_long_rest(schedule: Schedule) -> None:
    until = NOON + timedelta(days=3000, minutes=7)

    latest = last_until(schedule, NOON, until)

    assert latest is not None
    assert NOON < latest <= until
    following = next_after(schedule, latest)
    assert following is None or following > until


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SCHEDULES), INSTANTS, st.timedeltas(timedelta(), timedelta(hours=6)))
def test_fire_all_in_pieces_gives_every_time_once(schedule: Schedule, after: datetime, span: timedelta) -> None:
    if isinstance(schedule, Interval):
        schedule = Interval(timedelta(minutes=7), schedule.anchor)
    now, found, begin = after + span, list[datetime](), after

    while piece := misfires(schedule, begin, now, "fire_all", 5):
        found.extend(piece)
        begin = piece[-1]

    assert found == sorted(set(found))
    assert found[-1:] == misfires(schedule, after, now, "fire_once")
    assert all(next_after(schedule, due - timedelta(microseconds=1)) == due for due in found)


@pytest.mark.parametrize(
    ("stored", "field"),
    [
        (None, "kind"),
        ({"kind": "never"}, "kind"),
        ({"kind": "once"}, "at"),
        ({"kind": "once", "at": "tomorrow"}, "at"),
        ({"kind": "once", "at": "2026-01-01T00:00:00"}, "at"),
        ({"kind": "once", "at": "0001-01-01T00:00:00+10:00"}, "at"),
        ({"kind": "interval", "everySeconds": True, "anchor": "2026-01-01T00:00:00Z"}, "everySeconds"),
        ({"kind": "interval", "everySeconds": 1e300, "anchor": "2026-01-01T00:00:00Z"}, "everySeconds"),
        ({"kind": "interval", "everySeconds": 0, "anchor": "2026-01-01T00:00:00Z"}, "every"),
        ({"kind": "cron", "minute": 5}, "minute"),
        ({"kind": "bounded", "inner": {"kind": "bounded"}}, "inner"),
        ({"kind": "bounded", "inner": {"kind": "once", "at": "2026-01-01T00:00:00Z"}}, "inner"),
    ],
)
def test_a_damaged_record_is_refused_by_field(stored: Json, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        schedules.from_json(stored)

    assert refused.value.problems[0].field == field
