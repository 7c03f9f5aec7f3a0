"""Regular expressions that users write, run by RE2 only: its time grows with the text, never beyond.

What JavaScript writes differently and RE2 can do is translated. What RE2 cannot do (looking around,
references back to groups) is refused.
"""

import functools
from collections.abc import Iterator
from typing import Protocol, cast

import re2

from headrace_core.expressions.environment import Evaluation, ModifierFailed

# A pattern of a few characters can ask for thousands of states: (x{100}){10}.
_MAX_STATES = 20_000
_MAX_MEMORY_BYTES = 8 * 1024 * 1024


class Match(Protocol):
    """What RE2 tells of one match. The library has no types of its own."""

    def group(self, index: int = 0) -> str | None: ...
    def groups(self) -> tuple[str | None, ...]: ...
    def groupdict(self) -> dict[str, str | None]: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class Pattern(Protocol):
    """A compiled expression."""

    programsize: int

    def search(self, text: str) -> Match | None: ...
    def fullmatch(self, text: str) -> Match | None: ...
    def finditer(self, text: str) -> Iterator[Match]: ...


def pattern_of(
    source: str, ev: Evaluation, *, ignore_case: bool = False, multiline: bool = False, dot_all: bool = False
) -> Pattern:
    """Compile what a user wrote. Raises `ModifierFailed` when it is too long or RE2 cannot do it."""
    if len(source) > ev.limits.pattern_chars:
        raise ModifierFailed(f"patterns over {ev.limits.pattern_chars:,} characters are not used")
    found = _compiled(source, ignore_case, multiline, dot_all)
    if isinstance(found, str):
        raise ModifierFailed(found)
    return found


@functools.lru_cache(maxsize=256)
def _compiled(source: str, ignore_case: bool, multiline: bool, dot_all: bool) -> Pattern | str:
    flags = ("i" if ignore_case else "") + ("m" if multiline else "") + ("s" if dot_all else "")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    translated = f"(?{flags})" + _translated(source) if flags else _translated(source)
    try:
        pattern = cast(Pattern, re2.compile(translated, options))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"the pattern cannot be used: {reason}"
    if pattern.programsize > _MAX_STATES:
        return "the pattern is too complex: repeat less"
    return pattern


def _translated(source: str) -> str:
    """The same expression in RE2's writing."""
    pieces: list[str] = []
    position = 0
    while position < len(source):
        character = source[position]
        if character == "\\" and position + 1 < len(source):
            piece, position = _translated_escape(source, position)
            pieces.append(piece)
        elif source.startswith("[^]", position):
            pieces.append("(?s:.)")
            position += 3
        else:
            pieces.append(character)
            position += 1
    return "".join(pieces)


def _translated_escape(source: str, position: int) -> tuple[str, int]:
    kind = source[position + 1]
    digits = source[position + 2 : position + 6]
    if kind == "u" and len(digits) == 4 and all(each in "0123456789abcdefABCDEF" for each in digits):
        return f"\\x{{{digits}}}", position + 6
    if kind == "u" and source[position + 2 : position + 3] == "{":
        return "\\x", position + 2
    return {"/": "/", "0": "\\x00", "-": "\\-"}.get(kind, "\\" + kind), position + 2


def matches(pattern: Pattern, text: str, ev: Evaluation) -> Iterator[Match]:
    """All matches from left to right, each paid for."""
    for count, match in enumerate(pattern.finditer(ev.searchable(text))):
        ev.claim_list(count)
        ev.spend()
        # One search can scan the whole text, so the clock is read for each.
        ev.check_time()
        yield match


def replace(pattern: Pattern, text: str, replacement: str, ev: Evaluation, *, every: bool) -> str:
    """The text with the first match, or every one, replaced; `$1`, `$<name>`, `$&` and `$$` as in JavaScript."""
    pieces: list[str] = []
    length = position = 0
    for match in matches(pattern, text, ev):
        pieces.append(text[position : match.start()])
        pieces.append(expanded(replacement, match))
        length += len(pieces[-2]) + len(pieces[-1])
        ev.claim(length)
        position = match.end()
        if not every:
            break
    pieces.append(text[position:])
    ev.claim(length + len(pieces[-1]))
    return "".join(pieces)


def expanded(replacement: str, match: Match) -> str:
    """The replacement with its `$` references filled in."""
    if "$" not in replacement:
        return replacement
    pieces: list[str] = []
    position = 0
    while (found := replacement.find("$", position)) >= 0:
        pieces.append(replacement[position:found])
        piece, position = _reference(replacement, found, match)
        pieces.append(piece)
    pieces.append(replacement[position:])
    return "".join(pieces)


def _reference(replacement: str, found: int, match: Match) -> tuple[str, int]:
    after = replacement[found + 1 : found + 2]
    groups = match.groups()
    if after == "$":
        return "$", found + 2
    if after == "&":
        return match.group() or "", found + 2
    for width in (2, 1):
        digits = replacement[found + 1 : found + 1 + width]
        if len(digits) == width and digits.isascii() and digits.isdigit() and 1 <= int(digits) <= len(groups):
            return groups[int(digits) - 1] or "", found + 1 + width
    end = replacement.find(">", found)
    if after == "<" and end > 0:
        return match.groupdict().get(replacement[found + 2 : end]) or "", end + 1
    return "$", found + 1


def quoted(text: str) -> str:
    """A pattern that finds this very text."""
    return cast(str, re2.escape(text))
