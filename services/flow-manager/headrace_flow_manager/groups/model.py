"""What a group is, and what it may hold."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager import times

MAX_GROUPS: Final = 1_000
MAX_MEMBERS: Final = 1_000
MAX_NAME: Final = 255
MAX_DESCRIPTION: Final = 2_000
MAX_USER_ID: Final = 256
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of users. `members` are in order and each once; `revision` counts changes, those of members too."""

    group_id: str
    name: str
    description: str
    members: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1

    @property
    def name_key(self) -> str:
        """The form in which names are compared."""
        return unicodedata.normalize("NFKC", self.name).casefold()


def public(group: Group) -> dict[str, Json]:
    """The group as it is shown, filtered and sorted."""
    return {
        "groupId": group.group_id,
        "name": group.name,
        "description": group.description,
        "members": list(group.members),
        "created": times.to_text(group.created_at),
        "mtime": times.to_text(group.updated_at),
        "revision": group.revision,
    }


def in_order(members: Sequence[str]) -> tuple[str, ...]:
    """The members, each once."""
    return tuple(sorted(set(members)))


def check(group: Group) -> None:
    """Raise ValidationFailed with everything that is wrong with a group."""
    problems = []
    if not _ID.fullmatch(group.group_id):
        problems.append(_problem("groupId", "A group id has 1 to 64 letters, digits, hyphens and underscores."))
    unseen = any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in group.name)
    if not 1 <= len(group.name) <= MAX_NAME or unseen or group.name != group.name.strip():
        problems.append(_problem("name", f"It is no name of 1 to {MAX_NAME} characters that can be seen."))
    if len(group.description) > MAX_DESCRIPTION:
        problems.append(_problem("description", f"It has more than {MAX_DESCRIPTION} characters."))
    if len(group.members) > MAX_MEMBERS:
        problems.append(_problem("members", f"A group has at most {MAX_MEMBERS} members. Use a role for more."))
    elif any(not 1 <= len(each) <= MAX_USER_ID for each in group.members):
        problems.append(_problem("members", "It is no list of ids of users."))
    if problems:
        raise ValidationFailed(problems)


def stranger(user_id: str) -> ValidationFailed:
    """What is raised for a member who is no user."""
    return ValidationFailed([_problem("members", f"There is no user {user_id[:MAX_NAME]!r}.")])


def _problem(field: str, message: str) -> Problem:
    return Problem(field, message, field=field)
