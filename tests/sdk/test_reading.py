"""What people write into forms is read the same way everywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from headrace_core import Json
from headrace_sdk import CancelError
from headrace_sdk import reading as read


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", 5),
        (" -2.50 ", -2.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", None),
        ("nan", None),
        ("1e999", None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_a_number_is_what_is_or_spells_one(value: Json, number: float | None) -> None:
    assert read.as_number(value) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("a", "a"), (1, "1"), (True, "true"), ({"a": ["é"]}, '{"a":["é"]}')],
)
def test_text_of_what_is_no_text_is_json(value: Json, text: str) -> None:
    assert read.as_text(value) == text


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("true", True), ("No", False), ("0", False), ("", False), (None, False), (1, True)],
)
def test_a_toggle_may_be_written_out(value: Json, flag: bool) -> None:
    assert read.as_flag(value) is flag


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31 12:00", NOON),
        ("2026-01-31", NOON.replace(hour=0)),
        ("Sat, 31 Jan 2026 13:00:00 +0100", NOON),
        (1769860800000, NOON),
        ("next week", None),
        ("", None),
        (True, None),
        (1e300, None),
    ],
)
def test_an_instant_is_aware_and_utc_unless_it_says_otherwise(value: Json, instant: datetime | None) -> None:
    assert read.as_instant(value) == instant


def test_an_instant_without_offset_is_in_the_zone_beside_it() -> None:
    assert read.as_instant("2026-07-01 14:00", read.as_zone("Europe/Prague")) == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_dates_go_out_as_in_javascript() -> None:
    assert read.iso(NOON) == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize("name", ["Nowhere/Land", "../etc/passwd", "/etc/passwd"])
def test_an_unknown_zone_is_named_in_the_error(name: str) -> None:
    with pytest.raises(CancelError, match="no time zone"):
        read.as_zone(name)


def test_rows_are_what_an_expression_field_holds() -> None:
    assert read.rows({"ADD": [{"a": 1}, "no row"]}) == [{"a": 1}]
    assert read.rows({"AND": [{"OR": []}]}, "AND") == [{"OR": []}]
    assert read.rows(None) == []


def test_an_input_that_is_no_object_is_refused() -> None:
    assert read.as_object(None) == {}
    with pytest.raises(CancelError, match="a list"):
        read.as_object([1])


def test_seconds_stay_within_what_the_platform_waits() -> None:
    assert read.as_seconds(90, 5) == timedelta(seconds=90)
    assert read.as_seconds("soon", 5) == timedelta(seconds=5)
    assert read.as_seconds(1e300, 5) == timedelta(days=31)


def test_broken_json_is_an_error_that_names_the_field() -> None:
    assert read.parse_json("[1]", "The list") == [1]
    assert read.parse_json({"a": 1}, "The list") == {"a": 1}
    with pytest.raises(CancelError, match="The list is not"):
        read.parse_json("[1", "The list")
