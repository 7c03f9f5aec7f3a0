"""What a check found, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

from headrace_core import Json

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. With a level other than ok there is always something to do."""

    check: str
    level: Level
    found: str
    advice: str = ""

    def to_json(self, subject: str) -> dict[str, Json]:
        """The finding as a JSON object."""
        return {
            "subject": subject,
            "check": self.check,
            "level": self.level,
            "found": self.found,
            "advice": self.advice,
        }


def ok(check: str, found: str) -> Finding:
    """All is well, or nothing that has to be done."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Headrace works, and something about it is not as it should be in production."""
    return Finding(check, "warning", found, advice)


def error(check: str, found: str, advice: str) -> Finding:
    """Headrace does not work, or does not keep its promises."""
    return Finding(check, "error", found, advice)
