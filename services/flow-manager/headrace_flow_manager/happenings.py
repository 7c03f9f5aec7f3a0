"""What happens on the platform and is told outside: the nouns say it, `hooks` tells it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from headrace_core import Json

Fact = Literal["", "user exists", "account is invalid", "account is valid"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened. Whoever says it again, as after a crash, says it under the same id.

    It is written down before the change that it tells of, so that neither is without the other: `fact` is what has to
    be so by the time it is told, of the user or account `about`. What did not come true is not told.
    """

    event_id: str
    event: str
    tenant_id: str
    at: datetime
    data: Mapping[str, Json] = field(default_factory=dict)
    fact: Fact = ""
    about: str = ""


Announce = Callable[[Sequence[Happening]], Awaitable[None]]
"""Writes down what is to be told. Nothing is written where nobody wants to hear of it."""


async def nobody_hears(happenings: Sequence[Happening]) -> None:
    """Keeps `Announce` for who tells nobody."""
