"""Tags: what a thing said when somebody read it, in short.

Things that count their changes have a revision. The small ones that are kept whole have a tag instead, a digest of what
they say: who decides on what they read sends it back, and is refused when the thing says something else by now.
"""

import hashlib
from typing import Final

from headrace_core import Json
from headrace_core.errors import RevisionConflict

from headrace_flow_manager import json_text

LENGTH: Final = 32
"""Hexadecimal digits."""


def tag_of(said: Json) -> str:
    """The tag of what a thing says. Its names may stand in any order."""
    return hashlib.sha256(json_text.encode_canonical(said).encode()).hexdigest()[:LENGTH]


def expect(tag: str | None, expected: str, what: str) -> None:
    """Raises RevisionConflict when another tag is expected than this, or None; an empty text expects nothing."""
    if expected and tag != expected:
        raise conflict(what)


def conflict(what: str) -> RevisionConflict:
    """For who decided on something that is not so any more. `what` begins the sentence."""
    return RevisionConflict(f"{what} was changed in between. Read it again and decide on that.")
