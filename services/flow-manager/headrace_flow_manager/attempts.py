"""Trying again when somebody saved in between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from headrace_core.errors import RevisionConflict

MAX_ATTEMPTS = 5

Result = TypeVar("Result")


async def persistently(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try again from the start when somebody saved in between; others cannot win for ever."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return await attempt()
        except RevisionConflict:
            continue
    return await attempt()
