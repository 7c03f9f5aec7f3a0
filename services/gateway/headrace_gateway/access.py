"""What rules of administrators take away from roles. They never add to what a route's policy allows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_gateway.identity import Caller

ANY: Final = "*"
NON_PRIVATE: Final = "non-private"
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


@dataclass(frozen=True, slots=True)
class Rule:
    """What a role may do with a resource: actions, each with `!` before it where it is forbidden."""

    role: str
    resource: str
    actions: tuple[str, ...]
    attributes: tuple[str, ...] = ()


def allows(rules: Iterable[Rule], caller: Caller, resource: str, action: str) -> bool:
    """Whether the caller may do this, by the rules that are about one of their roles and the resource.

    A rule that forbids wins; where rules are about it and none allows it, it is not; where none is, it is.
    Administrators may always, so that nobody locks them out.
    """
    if caller.is_admin:
        return True
    about = [rule for rule in rules if rule.role in (ANY, *caller.roles) and rule.resource in (ANY, resource)]
    if any({f"!{action}", f"!{ANY}"}.intersection(rule.actions) for rule in about):
        return False
    return not about or any({action, ANY}.intersection(rule.actions) or _only_forbids(rule) for rule in about)


def allows_component(rules: Sequence[Rule], caller: Caller, name: str, *, is_private: bool) -> bool:
    """Whether the caller may see and use a component. A rule that is about non-private ones passes private by."""
    concerned = [rule for rule in rules if not (is_private and NON_PRIVATE in rule.attributes)]
    return all(allows(concerned, caller, resource, "read") for resource in (name, ".".join(name.split(".")[:2])))


def resource_of(path: str) -> str:
    """What a route is about, as rules name it: the first part of its path.

    What can be reached by several paths is one thing, so that no rule is walked around.
    """
    if path.startswith(TASK_PREFIXES):
        return TASKS
    return path.removeprefix("/").partition("/")[0] or ANY


def _only_forbids(rule: Rule) -> bool:
    return all(action.startswith("!") for action in rule.actions)
