"""Cron names the right instants, in every zone and on every odd day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from headrace_core.cron import Cron, parse_cron
from headrace_core.errors import ValidationFailed
from hypothesis import given, settings
from hypothesis import strategies as st

PRAGUE = "Europe/Prague"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"  # its clocks move by half an hour
KOLKATA = "Asia/Kolkata"
APIA = "Pacific/Apia"  # had no 30 December 2011
CAIRO = "Africa/Cairo"  # its clocks move at midnight
HAVANA = "America/Havana"  # its clocks go back to midnight

# text, zone, clock time after which, the clock times that follow
TABLE: list[tuple[str, str, str, list[str]]] = [
    # values, lists, ranges, steps
    ("* * * * *", "UTC", "2026-01-01T00:00:00", ["2026-01-01T00:01", "2026-01-01T00:02"]),
    ("* * * * *", "UTC", "2026-01-01T00:00:59.999999", ["2026-01-01T00:01"]),
    ("* * * * *", "UTC", "2025-12-31T23:59:59.999999", ["2026-01-01T00:00"]),
    ("*/15 * * * *", "UTC", "2026-01-01T00:07", ["2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:45"]),
    ("*/25 * * * *", "UTC", "2026-01-01T00:30", ["2026-01-01T00:50", "2026-01-01T01:00", "2026-01-01T01:25"]),
    ("5/20 * * * *", "UTC", "2026-01-01T00:00", ["2026-01-01T00:05", "2026-01-01T00:25", "2026-01-01T00:45"]),
    ("10-14/2 * * * *", "UTC", "2026-01-01T00:10", ["2026-01-01T00:12", "2026-01-01T00:14", "2026-01-01T01:10"]),
    ("0,30 9,17 * * *", "UTC", "2026-01-01T09:00", ["2026-01-01T09:30", "2026-01-01T17:00", "2026-01-01T17:30"]),
    ("59 23 * * *", "UTC", "2026-01-01T23:59", ["2026-01-02T23:59"]),
    ("0 */6 * * *", "UTC", "2026-01-01T12:30", ["2026-01-01T18:00", "2026-01-02T00:00"]),
    ("0 8-10 * * *", "UTC", "2026-01-01T08:00", ["2026-01-01T09:00", "2026-01-01T10:00", "2026-01-02T08:00"]),
    ("00 09 * * *", "UTC", "2026-01-01T00:00", ["2026-01-01T09:00"]),
    # days of the month
    ("0 0 1 * *", "UTC", "2026-01-01T00:00", ["2026-02-01T00:00", "2026-03-01T00:00"]),
    ("0 0 31 * *", "UTC", "2026-01-31T00:00", ["2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00"]),
    ("0 0 30 * *", "UTC", "2026-01-30T00:00", ["2026-03-30T00:00"]),
    ("0 0 L * *", "UTC", "2026-01-30T00:00", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]),
    ("0 0 L 2 *", "UTC", "2027-03-01T00:00", ["2028-02-29T00:00", "2029-02-28T00:00"]),
    ("0 0 1,L * *", "UTC", "2026-04-01T00:00", ["2026-04-30T00:00", "2026-05-01T00:00"]),
    ("0 0 */10 * *", "UTC", "2026-02-01T00:00", ["2026-02-11T00:00", "2026-02-21T00:00", "2026-03-01T00:00"]),
    ("0 0 ? * MON", "UTC", "2026-01-01T00:00", ["2026-01-05T00:00", "2026-01-12T00:00"]),
    # leap days and ends of years
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
    ("0 0 29 2 *", "UTC", "2096-02-29T00:00", ["2104-02-29T00:00"]),
    ("59 23 31 12 *", "UTC", "2026-12-31T23:58", ["2026-12-31T23:59", "2027-12-31T23:59"]),
    ("0 0 1 1 *", PRAGUE, "2026-12-31T23:59", ["2027-01-01T00:00"]),
    ("0 0 29 FEB,MAR *", "UTC", "2026-01-01T00:00", ["2026-03-29T00:00", "2027-03-29T00:00", "2028-02-29T00:00"]),
    # months and days of the week
    ("0 0 1 JAN,JUL *", "UTC", "2026-01-01T00:00", ["2026-07-01T00:00", "2027-01-01T00:00"]),
    ("0 0 1 jan-mar *", "UTC", "2026-02-01T00:00", ["2026-03-01T00:00", "2027-01-01T00:00"]),
    ("0 9 * * MON-FRI", "UTC", "2026-01-02T09:00", ["2026-01-05T09:00", "2026-01-06T09:00"]),
    ("0 9 * * 0", "UTC", "2026-01-01T00:00", ["2026-01-04T09:00", "2026-01-11T09:00"]),
    ("0 9 * * 7", "UTC", "2026-01-01T00:00", ["2026-01-04T09:00", "2026-01-11T09:00"]),
    ("0 9 * * Sun", "UTC", "2026-01-01T00:00", ["2026-01-04T09:00"]),
    ("0 9 * * SAT-SUN", "UTC", "2026-01-03T09:00", ["2026-01-04T09:00", "2026-01-10T09:00"]),
    ("0 9 * * 5-7", "UTC", "2026-01-02T09:00", ["2026-01-03T09:00", "2026-01-04T09:00", "2026-01-09T09:00"]),
    ("0 9 * * SUN-MON", "UTC", "2026-01-04T09:00", ["2026-01-05T09:00", "2026-01-11T09:00"]),
    ("0 9 * * */3", "UTC", "2026-01-01T00:00", ["2026-01-03T09:00", "2026-01-04T09:00", "2026-01-07T09:00"]),
    # both day fields: either, unless one begins with a star
    ("0 0 13 * FRI", "UTC", "2026-02-07T00:00", ["2026-02-13T00:00", "2026-02-20T00:00", "2026-02-27T00:00"]),
    ("0 0 1 * MON", "UTC", "2026-01-26T00:00", ["2026-02-01T00:00", "2026-02-02T00:00"]),
    ("0 0 */2 * MON", "UTC", "2026-01-01T00:00", ["2026-01-05T00:00", "2026-01-19T00:00", "2026-02-09T00:00"]),
    ("0 0 30 2 MON", "UTC", "2026-01-01T00:00", ["2026-02-02T00:00", "2026-02-09T00:00"]),
    # words
    ("@hourly", "UTC", "2026-01-01T00:10", ["2026-01-01T01:00"]),
    ("@daily", "UTC", "2026-01-01T00:10", ["2026-01-02T00:00"]),
    ("@weekly", "UTC", "2026-01-01T00:10", ["2026-01-04T00:00"]),
    ("@Monthly", "UTC", "2026-01-01T00:10", ["2026-02-01T00:00"]),
    ("@yearly", "UTC", "2026-01-01T00:10", ["2027-01-01T00:00"]),
    # zones without changes
    ("0 9 * * *", KOLKATA, "2026-01-01T09:00", ["2026-01-02T09:00+05:30"]),
    ("*/30 * * * *", KOLKATA, "2026-01-01T00:10", ["2026-01-01T00:30+05:30", "2026-01-01T01:00+05:30"]),
    ("0 0 1 * *", KOLKATA, "2026-01-31T23:59", ["2026-02-01T00:00+05:30"]),
    # spring: a skipped time fires once, at the end of the gap
    ("30 2 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
    ("0 2 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
    ("59 1 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T01:59+01:00", "2026-03-30T01:59+02:00"]),
    ("0 3 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T03:00+02:00", "2026-03-30T03:00+02:00"]),
    ("0 2,3 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
    ("*/20 2 * * *", PRAGUE, "2026-03-28T03:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
    ("30 2 * * SUN", NEW_YORK, "2026-03-01T03:00", ["2026-03-08T03:00-04:00", "2026-03-15T02:30-04:00"]),
    ("15 2 * * *", LORD_HOWE, "2026-10-03T03:00", ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
    ("30 2 * * *", LORD_HOWE, "2026-10-03T03:00", ["2026-10-04T02:30+11:00", "2026-10-05T02:30+11:00"]),
    ("0 0 * * *", CAIRO, "2026-04-23T01:00", ["2026-04-24T01:00+03:00", "2026-04-25T00:00+03:00"]),
    ("0 9 * * *", APIA, "2011-12-29T09:00", ["2011-12-31T00:00+14:00", "2011-12-31T09:00+14:00"]),
    ("30 2 29 3 *", PRAGUE, "2026-03-01T00:00", ["2026-03-29T03:00+02:00", "2027-03-29T02:30+02:00"]),
    # autumn: a repeated time fires once, the first time
    ("30 2 * * *", PRAGUE, "2026-10-24T03:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("0 3 * * *", PRAGUE, "2026-10-24T04:00", ["2026-10-25T03:00+01:00", "2026-10-26T03:00+01:00"]),
    (
        "0,30 2 * * *",
        PRAGUE,
        "2026-10-25T01:00",
        ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"],
    ),
    ("30 1 * * *", NEW_YORK, "2026-11-01T00:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("45 1 * * *", LORD_HOWE, "2026-04-05T00:00", ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
    ("30 0 * * *", HAVANA, "2026-10-31T12:00", ["2026-11-01T00:30-04:00", "2026-11-02T00:30-05:00"]),
    # free hours go on in real time
    ("0 * * * *", PRAGUE, "2026-03-29T00:30", ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]),
    ("0 * * * *", PRAGUE, "2026-10-25T01:30", ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00"]),
    ("*/30 * * * *", NEW_YORK, "2026-03-08T01:00", ["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00"]),
    ("*/30 * * * *", NEW_YORK, "2026-11-01T01:00", ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00"]),
    ("30 * * * *", LORD_HOWE, "2026-10-04T01:00", ["2026-10-04T01:30+10:30", "2026-10-04T02:30+11:00"]),
    ("45 * * * *", LORD_HOWE, "2026-04-05T01:00", ["2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30"]),
    ("0 */2 * * *", PRAGUE, "2026-03-29T00:00", ["2026-03-29T04:00+02:00"]),
    (
        "30 * * * *",
        HAVANA,
        "2026-10-31T23:45",
        ["2026-11-01T00:30-04:00", "2026-11-01T00:30-05:00"],
    ),
]


@pytest.mark.parametrize(("text", "zone", "after", "expected"), TABLE)
def test_the_table_holds(text: str, zone: str, after: str, expected: list[str]) -> None:
    cron = parse_cron(text, zone)
    moment = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))

    for text_expected in expected:
        due = cron.next_after(moment)
        assert due is not None
        assert due.tzinfo is UTC
        local = due.astimezone(ZoneInfo(zone)).isoformat()
        assert local.startswith(text_expected[:16])
        assert local.endswith(text_expected[16:])
        moment = due


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("60 * * * *", "minute", "goes from 0 to 59"),
        ("* 24 * * *", "hour", "goes from 0 to 23"),
        ("* * 0 * *", "day_of_month", "goes from 1 to 31"),
        ("* * * 13 *", "month", "goes from 1 to 12"),
        ("* * * * 8", "day_of_week", "goes from 0 to 7"),
        ("x * * * *", "minute", "has 'X'"),
        ("* * * FOO *", "month", "has 'FOO'"),
        ("* * * * MO", "day_of_week", "has 'MO'"),
        ("5-1 * * * *", "minute", "runs backwards"),
        ("*/0 * * * *", "minute", "has the step '0'"),
        ("*/x * * * *", "minute", "has 'X'"),
        ("1,,2 * * * *", "minute", "has an empty part"),
        ("-1 * * * *", "minute", "has an empty part"),
        ("1- * * * *", "minute", "has an empty part"),
        ("? * * * *", "minute", "has '?'"),
        ("* L * * *", "hour", "has 'L'"),
        ("* * * * L", "day_of_week", "has 'L'"),
        ("١ * * * *", "minute", "has '١'"),
        ("99999999999 * * * *", "minute", "has '99999999999'"),
        ("1" + ",1" * 200 + " * * * *", "minute", "is longer than"),
        ("0 0 30 2 *", "day_of_month", "would never fire"),
        ("0 0 31 4,6,9,11 *", "day_of_month", "would never fire"),
        ("* * * *", "cron", "has 4"),
        ("0 * * * * *", "cron", "has 6"),
        ("", "cron", "has 0"),
        ("@sometimes", "cron", "has 1"),
    ],
)
def test_a_bad_cron_is_refused_with_its_field_and_an_example(text: str, field: str, says: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_cron(text)

    problem = refused.value.problems[0]
    assert problem.field == field
    assert says in problem.message
    assert problem.fix


def test_all_bad_fields_are_named_at_once() -> None:
    with pytest.raises(ValidationFailed) as refused:
        Cron("61", "25", "32", "13", "9", "Europe/Pragu")

    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["minute", "hour", "day_of_month", "month", "day_of_week", "zone"]


@pytest.mark.parametrize("zone", ["Europe/Pragu", "", "../etc/passwd", "/etc/localtime", "Prague", "a" * 10_000])
def test_an_unknown_zone_is_refused_with_names_that_exist(zone: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_cron("* * * * *", zone)

    assert "no time zone" in refused.value.problems[0].message
    assert "IANA name, for instance" in refused.value.problems[0].fix


def test_the_calendar_ends_quietly() -> None:
    assert parse_cron("0 0 1 1 *").next_after(datetime(9999, 6, 1, tzinfo=UTC)) is None
    assert parse_cron("0 0 1 1 *").next_after(datetime(1, 1, 1, tzinfo=UTC)) is None


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, high).map(lambda each: f"*/{each}")
    part = value.map(str) | span | step | st.just("*")
    return st.lists(part, min_size=1, max_size=2).map(",".join)


# Days around changes of clocks in each of the zones, and quiet ones.
_ZONED_DAYS = [
    (PRAGUE, datetime(2026, 3, 28)),
    (PRAGUE, datetime(2026, 10, 24)),
    (NEW_YORK, datetime(2026, 3, 7)),
    (NEW_YORK, datetime(2026, 10, 31)),
    (LORD_HOWE, datetime(2026, 4, 4)),
    (LORD_HOWE, datetime(2026, 10, 3)),
    (HAVANA, datetime(2026, 10, 31)),
    (CAIRO, datetime(2026, 4, 23)),
    (APIA, datetime(2011, 12, 29)),
    (KOLKATA, datetime(2026, 2, 27)),
    ("America/St_Johns", datetime(2010, 11, 6)),  # its clock goes back over midnight
]


def _minutes(start: datetime, count: int) -> Iterator[datetime]:
    return (start + timedelta(minutes=minute) for minute in range(count))


@lru_cache(maxsize=16)
def _clock(zone: ZoneInfo, start: datetime, days: int) -> dict[datetime, list[datetime]]:
    """What the clock shows, minute by minute, and the instants at which it does."""
    shown: dict[datetime, list[datetime]] = {}
    for instant in _minutes(start, days * 1440):
        shown.setdefault(instant.astimezone(zone).replace(tzinfo=None), []).append(instant)
    return shown


def _by_brute_force(cron: Cron, start: datetime, days: int) -> list[datetime]:
    """Look at every minute of the span, as slowly and plainly as can be."""
    zone = ZoneInfo(cron.zone)
    minutes, hours = _numbers(cron.minute, 0, 59), _numbers(cron.hour, 0, 23)
    shown = _clock(zone, start, days)
    first_shown, last_shown = min(shown), max(shown)
    first = start.astimezone(zone).replace(tzinfo=None, hour=0, minute=0)
    due: set[datetime] = set()
    for local in _minutes(first, (days + 2) * 1440):
        if local.hour not in hours or local.minute not in minutes:
            continue
        if local in shown:
            due.update(shown[local] if cron.hour.startswith("*") else [min(shown[local])])
        elif not cron.hour.startswith("*") and first_shown < local < last_shown:
            due.add(min(instants[0] for clock, instants in shown.items() if clock > local))
    return sorted(due)


def _numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        bounds, _, step = part.partition("/")
        begin, _, end = bounds.partition("-")
        first, last = (low, high) if bounds == "*" else (int(begin), int(end or begin))
        found.update(range(first, last + 1, int(step or 1)))
    return found


@settings(max_examples=40, deadline=None)
@given(_field(0, 59), _field(0, 23), st.sampled_from(_ZONED_DAYS))
def test_no_instant_is_missed_or_invented(minute: str, hour: str, zoned_day: tuple[str, datetime]) -> None:
    zone, day = zoned_day
    cron = Cron(minute, hour, "*", "*", "*", zone)
    start = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    expected = [due for due in _by_brute_force(cron, start, 4) if due < start + timedelta(days=3)]

    found: list[datetime] = []
    due = cron.next_after(start - timedelta(microseconds=1))
    while due is not None and due < start + timedelta(days=3):
        found.append(due)
        due = cron.next_after(due)

    assert found == expected


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6)),
    st.sampled_from([zone for zone, _ in _ZONED_DAYS]),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
)
def test_feeding_answers_back_strictly_rises(
    fields: tuple[str, str, str, str, str], zone: str, after: datetime
) -> None:
    minute, hour, day_of_month, month, day_of_week = fields
    cron = Cron(minute, hour, day_of_month, month, day_of_week, zone)
    moment = after.replace(tzinfo=UTC)

    for _ in range(5):
        due = cron.next_after(moment)
        assert due is not None
        assert due > moment
        assert due.second == due.microsecond == 0
        assert cron.next_after(due - timedelta(microseconds=1)) == due
        moment = due
