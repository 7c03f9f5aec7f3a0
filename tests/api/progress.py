"""How far something long has come, for who waits for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeAlias

EVERY_SECONDS = 60.0
Progress: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


def nobody_hears(_done: int, _whole: int) -> None:
    """For who does not wait."""


def told(what: str, every: float = EVERY_SECONDS) -> Progress:
    """A line on standard error once in a while."""
    said = time.monotonic()

    def tell(done: int, whole: int) -> None:
        nonlocal said
        if time.monotonic() - said >= every:
            said = time.monotonic()
            print(f"{done} of {whole} {what}", file=sys.stderr, flush=True)

    return tell
