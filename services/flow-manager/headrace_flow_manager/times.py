"""Instants as they are kept and shown."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The instant that `to_micros` wrote."""
    return _EPOCH + timedelta(microseconds=micros)


def to_text(instant: datetime) -> str:
    """The instant in the public form, for instance 2026-01-31T08:30:00.000Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
