"""Modifiers that are written in JavaScript: they are run elsewhere, and what they came to is handed in.

A rendering that meets one whose result it has not got ends with `ScriptNeeded`. Whoever rendered has it run, adds the
result and renders again; rendering the same twice gives the same, so the second time goes further.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_core import Json

MAX_SCRIPTS: Final = 200
"""Calls of them that one rendering takes at most."""


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One use of such a modifier. `value` is None where it stands alone, or its variable is not there."""

    name: str
    value: Json
    params: Sequence[Json]
    named: Mapping[str, Json]

    @property
    def key(self) -> str:
        """The same for equal calls."""
        return json.dumps([self.name, self.value, [*self.params], dict(self.named)], sort_keys=True)


@dataclass(frozen=True, slots=True)
class ScriptAnswer:
    """What it came to; or why it failed."""

    value: Json = None
    failure: str = ""


@dataclass(slots=True)
class Scripts:
    """The results that there are."""

    answers: dict[str, ScriptAnswer] = field(default_factory=dict)


class ScriptNeeded(Exception):
    """The rendering cannot go on without the result of this call. Never leaves who renders with `Scripts`."""

    def __init__(self, call: ScriptCall) -> None:
        super().__init__(call.name)
        self.call = call


def scripts_of(document: Mapping[str, Json]) -> dict[str, str]:
    """The modifiers of a document that are written in JavaScript, by name with their source."""
    entries = document.get("modifiers")
    found: Mapping[str, Json] = entries if isinstance(entries, dict) else {}
    return {
        name: text
        for name, entry in found.items()
        if isinstance(entry, dict) and isinstance(text := entry.get("helperFn"), str) and text.strip()
    }
