"""Rules of who may do what: kept here, enforced at the gateway."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_core import Json
from headrace_core.access import Rule
from headrace_core.clock import Clock
from headrace_core.errors import NotFound, Problem, ValidationFailed

from headrace_flow_manager import tags
from headrace_flow_manager.settings.store import DocumentStore

TYPES: Final = ("routes", "components")
ACTIONS: Final = frozenset(f"{no}{verb}" for no in ("", "!") for verb in ("*", "read", "create", "update", "delete"))
ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {"routes": frozenset(), "components": frozenset({"non-private"})}
MAX_RULES: Final = 1_000
MAX_NAME: Final = 255
_THE_RULES: Final = "The list of rules"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A flow that runs, and the components in it that its owner may not use."""

    flow_id: str
    tenant_id: str
    name: str
    components: Sequence[str]


Preview = Callable[[Sequence[Rule]], Awaitable[tuple[Sequence[Withheld], bool]]]
"""The running flows that rules about components would stop, some at most, and whether there are more."""


class AccessRules:
    """Keeps the rules of each type. `changed` hears of every change."""

    def __init__(self, store: DocumentStore, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed

    async def get(self, kind: str) -> Sequence[Rule]:
        """The rules in their order. Raises NotFound for a type that is none."""
        rules, _ = await self.tagged(kind)
        return rules

    async def tagged(self, kind: str) -> tuple[Sequence[Rule], str]:
        """The rules in their order, and their tag. Raises NotFound for a type that is none."""
        rules = _read(await self._store.get(_name(kind)))
        return rules, _tag(rules)

    async def put(self, actor: str, kind: str, rules: Sequence[Rule], expected: str = "") -> str:
        """Replace all rules of a type; their tag.

        Raises NotFound for a type that is none, ValidationFailed, and RevisionConflict when they have another tag than
        the one expected.
        """
        name, document = _name(kind), {"rules": list[Json]([_kept(each) for each in rules])}
        check_rules(kind, rules)
        if expected:
            before = await self._store.get(name)
            tags.expect(_tag(_read(before)), expected, _THE_RULES)
            if not await self._store.replace(before, actor, name, document, self._clock.now()):
                raise tags.conflict(_THE_RULES)
        else:
            await self._store.put(actor, name, document, self._clock.now())
        self._changed()
        return _tag(rules)


def check_rules(kind: str, rules: Sequence[Rule]) -> None:
    """Raises ValidationFailed with every problem of the rules."""
    problems = [problem for number, rule in enumerate(rules) for problem in _problems(kind, number, rule)]
    if len(rules) > MAX_RULES:
        problems.append(Problem("rules", f"There are {len(rules)} rules, and {MAX_RULES} are allowed."))
    if problems:
        raise ValidationFailed(problems)


def _name(kind: str) -> str:
    if kind not in TYPES:
        raise NotFound("type of rules", kind[:MAX_NAME])
    return f"access {kind}"


def _problems(kind: str, number: int, rule: Rule) -> Iterator[Problem]:
    for field, value in (("role", rule.role), ("resource", rule.resource)):
        if not 1 <= len(value) <= MAX_NAME:
            yield Problem(f"{number}.{field}", f"It is a name of 1 to {MAX_NAME} characters.", field=field)
    if not rule.actions or not set(rule.actions) <= ACTIONS:
        fix = "Choose of *, read, create, update, delete, each with ! before it to forbid."
        yield Problem(f"{number}.action", "It is no list of actions.", fix, field="action")
    if not set(rule.attributes) <= ATTRIBUTES[kind]:
        known = ", ".join(sorted(ATTRIBUTES[kind])) or "none"
        yield Problem(f"{number}.attributes", "There is no such attribute.", f"Known: {known}.", field="attributes")


def _read(kept: Mapping[str, Json] | None) -> Sequence[Rule]:
    rules = kept.get("rules") if kept else None
    return [_rule(each) for each in rules if isinstance(each, dict)] if isinstance(rules, list) else []


def _tag(rules: Sequence[Rule]) -> str:
    return tags.tag_of([_kept(each) for each in rules])


def _kept(rule: Rule) -> dict[str, Json]:
    return {
        "role": rule.role,
        "resource": rule.resource,
        "action": list(rule.actions),
        "attributes": list(rule.attributes),
    }


def _rule(kept: Mapping[str, Json]) -> Rule:
    return Rule(str(kept["role"]), str(kept["resource"]), _texts(kept["action"]), _texts(kept["attributes"]))


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
