"""What of a flow's runs goes to the log: `logger.level` of its record."""

from collections.abc import Mapping
from enum import StrEnum

from headrace_core import Json


class LogLevel(StrEnum):
    """How much is logged. The record of a run itself is always complete."""

    ALL = "all"
    ERRORS = "errors"
    NONE = "none"


def log_level_of(record: Mapping[str, Json]) -> LogLevel:
    """The level that a record names, which was checked when it was saved."""
    logger = record.get("logger")
    return LogLevel(str(logger.get("level", LogLevel.ALL))) if isinstance(logger, dict) else LogLevel.ALL
