"""Whose flows may use an account, besides its owner's: what `sharedWith` says."""

from collections.abc import Iterable, Mapping
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager.flows.sharing import MARKS, Guest, is_named

MOST_ENTRIES: Final = 100
MAX_MARK: Final = 256
USE: Final[list[Json]] = ["use"]


def checked(value: Json) -> tuple[Mapping[str, Json], ...]:
    """The entries, as they are kept. Raises ValidationFailed with what is wrong."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise _wrong("sharedWith", f"It is no list of at most {MOST_ENTRIES} entries.")
    for place, entry in enumerate(value):
        where = f"sharedWith.{place}"
        if not isinstance(entry, dict) or not entry.keys() & set(MARKS):
            raise _wrong(where, f"It names nobody: give {', '.join(MARKS)}, or several that have to fit.")
        for name, mark in entry.items():
            if name == "permissions":
                if mark != USE:
                    raise _wrong(f"{where}.permissions", 'An account is shared to be used: give ["use"], or nothing.')
            elif name not in MARKS or not isinstance(mark, str) or not 0 < len(mark) <= MAX_MARK:
                raise _wrong(f"{where}.{name[:100]}", f"It is no {' or '.join(MARKS)} of up to {MAX_MARK} characters.")
    return tuple({**entry, "permissions": USE} for entry in value if isinstance(entry, dict))


def names(shared_with: Iterable[Mapping[str, Json]], guest: Guest | None) -> bool:
    """Whether it names the guest, who is an active user."""
    return guest is not None and is_named(shared_with, guest)


def _wrong(where: str, message: str) -> ValidationFailed:
    return ValidationFailed([Problem(where, message, field=where)])
