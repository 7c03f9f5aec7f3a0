"""Rules that people draw: every so many units, between two dates."""

from datetime import UTC, datetime, timedelta

import pytest
from headrace_core.cron import parse_cron
from headrace_core.errors import ValidationFailed
from headrace_core.schedules_calendar import (
    UNANCHORED,
    Bounded,
    Repeat,
    Unit,
    anchored,
    repeat_from_json,
    repeat_to_json,
)

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "unit", "after", "expected"),
    [
        (15, "minutes", START, START + timedelta(minutes=15)),
        (15, "minutes", START - timedelta(days=1), START),
        (2, "hours", START + timedelta(hours=2), START + timedelta(hours=4)),
        (1, "days", START + timedelta(hours=30), START + timedelta(days=2)),
        (2, "weeks", START, START + timedelta(days=14)),
    ],
)
def test_a_repeat_goes_on_from_its_anchor(count: int, unit: Unit, after: datetime, expected: datetime) -> None:
    assert Repeat(count, unit, START).next_after(after) == expected


def test_days_keep_their_clock_time_when_clocks_change() -> None:
    anchor = datetime(2026, 3, 27, 8, tzinfo=UTC)  # nine in Prague; clocks go forward on the 29th
    rule = Repeat(1, "days", anchor, "Europe/Prague")

    moments = [anchor]
    for _ in range(3):
        found = rule.next_after(moments[-1])
        assert found is not None
        moments.append(found)

    assert [each.hour for each in moments] == [8, 8, 7, 7]
    assert [each.day for each in moments] == [27, 28, 29, 30]


def test_bounds_are_included_and_nothing_is_due_outside() -> None:
    daily = parse_cron("0 8 * * *")
    rule = Bounded(daily, START, START + timedelta(days=1))

    first = rule.next_after(START - timedelta(days=9))

    assert first == START
    assert rule.next_after(START) == START + timedelta(days=1)
    assert rule.next_after(START + timedelta(days=1)) is None


def test_a_rule_without_anchor_counts_from_the_start_of_its_flow() -> None:
    rule = Repeat(10, "minutes", UNANCHORED)

    assert anchored(rule, START).next_after(START) == START + timedelta(minutes=10)
    assert anchored(Bounded(rule, START + timedelta(hours=1)), START).next_after(START) == START + timedelta(hours=1)
    assert anchored(parse_cron("0 8 * * *"), START) == parse_cron("0 8 * * *")


def test_a_repeat_survives_storage() -> None:
    rule = Repeat(3, "weeks", START, "America/New_York")

    assert repeat_from_json(repeat_to_json(rule)) == rule


@pytest.mark.parametrize("stored", [{}, {"count": True}, {"count": 1, "unit": "days", "zone": "UTC", "anchor": "x"}])
def test_a_stored_rule_that_is_none_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ValidationFailed):
        repeat_from_json(stored)  # type: ignore[arg-type]  # wrong on purpose


def test_a_rule_that_never_moves_or_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="does not move"):
        Repeat(0, "days", START)
    with pytest.raises(ValidationFailed, match="before the start"):
        Bounded(parse_cron("0 8 * * *"), START, START - timedelta(days=1))
