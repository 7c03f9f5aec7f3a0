"""What rules of administrators take away from callers. They never add to what a route's policy allows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from headrace_core import access
from headrace_core.access import ANY, NON_PRIVATE, Rule

from headrace_gateway.identity import Caller

__all__ = ["ACTIONS", "ANY", "NON_PRIVATE", "Rule", "allows", "allows_component", "resource_of"]

TASKS: Final = "people-task"
TASK_PREFIXES: Final = ("/plugins/appmixer/utils/tasks", "/plugins/headrace/utils/tasks", "/people-task")
"""Where people tasks are: clients know them by these paths."""

ACTIONS: Final[Mapping[str, str]] = {
    "GET": "read",
    "HEAD": "read",
    "POST": "create",
    "PUT": "update",
    "PATCH": "update",
    "DELETE": "delete",
}


def allows(rules: Iterable[Rule], caller: Caller, resource: str, action: str) -> bool:
    """Whether the caller may do this."""
    return access.allows(rules, caller.roles, resource, action)


def allows_component(rules: Sequence[Rule], caller: Caller, name: str, *, is_private: bool) -> bool:
    """Whether the caller may see and use a component."""
    return access.allows_component(rules, caller.roles, name, is_private=is_private)


def resource_of(path: str) -> str:
    """What a route is about, as rules name it: the first part of its path.

    What can be reached by several paths is one thing, so that no rule is walked around.
    """
    if path.startswith(TASK_PREFIXES):
        return TASKS
    return path.removeprefix("/").partition("/")[0] or ANY
