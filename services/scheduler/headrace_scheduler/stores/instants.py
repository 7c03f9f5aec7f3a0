"""Instants as whole microseconds since 1970, the form in which SQLite compares them exactly."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stored(moment: datetime) -> int:
    """The instant as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def stored_or_none(moment: datetime | None) -> int | None:
    """As `stored`, where there may be none."""
    return None if moment is None else stored(moment)


def moment(number: int) -> datetime:
    """The instant that `stored` wrote."""
    return _EPOCH + number * _MICROSECOND


def moment_or_none(number: int | None) -> datetime | None:
    """As `moment`, where there may be none."""
    return None if number is None else moment(number)


def span(length: timedelta) -> int:
    """A length of time as a number."""
    return length // _MICROSECOND
