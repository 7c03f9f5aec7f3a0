"""Rules of administrators: what they take away from roles. They never add to what somebody may do anyway.

The gateway keeps them for calls, the flow manager for what runs.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_core.flow import normalize_type

ANY: Final = "*"
ADMIN: Final = "admin"
NON_PRIVATE: Final = "non-private"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a role may do with a resource: actions, each with `!` before it where it is forbidden."""

    role: str
    resource: str
    actions: tuple[str, ...]
    attributes: tuple[str, ...] = ()


def group_role(group_id: str) -> str:
    """What rules call those who are in a group."""
    return f"group:{group_id}"


def allows(rules: Iterable[Rule], roles: Collection[str], resource: str, action: str) -> bool:
    """Whether these roles may do this, by the rules that are about one of them and the resource.

    A rule that forbids wins; where rules are about it and none allows it, it is not; where none is, it is.
    Administrators may always, so that nobody locks them out.
    """
    if ADMIN in roles:
        return True
    about = [rule for rule in rules if rule.role in (ANY, *roles) and rule.resource in (ANY, resource)]
    if any({f"!{action}", f"!{ANY}"}.intersection(rule.actions) for rule in about):
        return False
    return not about or any({action, ANY}.intersection(rule.actions) or _only_forbids(rule) for rule in about)


def allows_component(rules: Sequence[Rule], roles: Collection[str], name: str, *, is_private: bool) -> bool:
    """Whether these roles may see and use a component, in whatever spelling it and the rules name it.

    A rule that is about non-private ones passes private ones by.
    """
    concerned = [
        Rule(rule.role, _spelled(rule.resource), rule.actions)
        for rule in rules
        if not (is_private and NON_PRIVATE in rule.attributes)
    ]
    spelled = _spelled(name)
    return all(allows(concerned, roles, resource, "read") for resource in (spelled, _service(spelled)))


def _spelled(name: str) -> str:
    """The canonical name of a component, or of what components begin with."""
    return normalize_type(f"{name}.").removesuffix(".")


def _service(name: str) -> str:
    return ".".join(name.split(".")[:2])


def _only_forbids(rule: Rule) -> bool:
    return all(action.startswith("!") for action in rule.actions)
