"""What an alias is, and which paths may be one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core.errors import Problem, ValidationFailed

MAX_PATH: Final = 200
MAX_PARTS: Final = 5
MAX_ID: Final = 200
MAX_ALIASES: Final = 1_000
_ALIAS_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """What an alias stands for."""

    flow_id: str
    component_id: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A path and what it stands for."""

    alias_id: str
    path: str
    target: Target
    tenant_id: str
    changed_at: datetime
    tag: str


def check_alias_id(alias_id: str) -> str:
    """The id itself. Raises ValidationFailed when a caller chose one that is not allowed."""
    if not _ALIAS_ID.fullmatch(alias_id):
        said = "An alias's id has 1 to 64 letters, digits, hyphens and underscores."
        raise ValidationFailed([Problem("id", said, "Use a UUID.", field="id")])
    return alias_id


def check(path: str, target: Target) -> list[Problem]:
    """What is wrong with a path or a target."""
    problems = []
    parts = path.split("/")
    if len(path) > MAX_PATH or len(parts) > MAX_PARTS or not all(_PART.match(part) for part in parts):
        fix = f"Write 1 to {MAX_PARTS} parts of letters, digits, -, _ and dots, with slashes between: hooks/orders."
        problems.append(Problem("alias", "It is no path.", fix, field="alias"))
    for field, value in (("flowId", target.flow_id), ("componentId", target.component_id)):
        if not 1 <= len(value) <= MAX_ID:
            problems.append(Problem(field, f"It is an id of 1 to {MAX_ID} characters.", field=field))
    return problems
