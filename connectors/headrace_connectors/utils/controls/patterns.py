"""Regular expressions that users write, in RE2: no pattern takes longer than its text is long."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, cast

import re2
from headrace_sdk import CancelError

MAX_PATTERN_CHARACTERS = 10_000
_MAX_MEMORY_BYTES = 8 * 1024 * 1024


class Pattern(Protocol):
    """A compiled pattern. The library has no types of its own."""

    def search(self, text: str) -> object | None: ...


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. Raises `CancelError` for a pattern that RE2 cannot read."""
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Pattern:
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise CancelError(f"The pattern is longer than {MAX_PATTERN_CHARACTERS} characters: shorten it.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        return cast(Pattern, re2.compile(pattern, options))  # the library has no types
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise CancelError(f"The pattern {pattern[:100]!r} cannot be used: {reason}. Lookaround is not there.") from None
