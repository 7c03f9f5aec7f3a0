"""Rules of how often somebody else's API may be called, as quota modules write them.

A module is one literal, `module.exports = { rules: [...] }`, or in Python `rules = [...]`. Each rule says how many
calls (`limit`) there may be in any stretch of time (`window`, in milliseconds) or at once (`throttling:
'limit-concurrency'`), of which `resource`, and for whom: for the whole installation, or for each value of what `scope`
names.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from headrace_core import Json, js_literals, py_literals
from headrace_core.errors import BadRequest, Problem, ValidationFailed
from headrace_core.flow import kind_of
from headrace_core.ids import derive_id

Throttling = Literal["window-sliding", "limit-concurrency"]

MAX_RULES: Final = 16
MAX_LIMIT: Final = 100_000
LONGEST_WINDOW: Final = timedelta(days=31)
MAX_NAME: Final = 100
_EXPORTS: Final = re.compile(r"^\s*(?:module\s*\.\s*exports\b|export\s+default\b)", re.MULTILINE)
_ASSIGNS: Final = re.compile(r"^rules\s*(?::[^=\n]+)?=", re.MULTILINE)
_KEYS: Final = ("limit", "window", "resource", "scope", "throttling", "queueing", "name", "description")


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """At most `limit` calls in any stretch of `window`, or at once where that is zero.

    No `resources`: of any kind. No `scope`: in the whole installation.
    """

    limit: int
    window: timedelta = timedelta()
    resources: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()

    @property
    def throttling(self) -> Throttling:
        return "window-sliding" if self.window else "limit-concurrency"

    def is_about(self, resources: Collection[str]) -> bool:
        """Whether it counts a call that uses these."""
        return not self.resources or not set(self.resources).isdisjoint(resources)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One count that a call falls under: what the scheduler is asked for."""

    name: str
    limit: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Places:
    """So many calls at once: each has one place while it lasts."""

    name: str
    limit: int


def parse_quota(source: str) -> tuple[QuotaRule, ...]:
    """The rules of a quota module. Raises ValidationFailed that says where it is none, and what is read."""
    try:
        module = _module(source)
    except BadRequest as error:
        supported = js_literals.SUPPORTED if _is_javascript(source) else py_literals.SUPPORTED
        raise ValidationFailed([_problem("source", error.message, supported)]) from error
    problems: list[Problem] = []
    rules = tuple(_rules(module, problems))
    if problems:
        raise ValidationFailed(problems)
    return rules


def allowances(
    manager: str, rules: Sequence[QuotaRule], resources: Collection[str], scope: Mapping[str, Json]
) -> list[Allowance]:
    """What a call of these resources counts under, for those whom `scope` names. Concurrency is not among it.

    The name of a count does not depend on its limit, so a rule that is changed goes on from what was counted.
    """
    return [
        Allowance(_name(manager, rule, scope), rule.limit, rule.window)
        for rule in rules
        if rule.window and rule.is_about(resources)
    ]


def places(
    manager: str, rules: Sequence[QuotaRule], resources: Collection[str], scope: Mapping[str, Json]
) -> list[Places]:
    """Of what a call of these resources takes a place, for those whom `scope` names, while it lasts."""
    return [
        Places(_name(manager, rule, scope), rule.limit)
        for rule in rules
        if not rule.window and rule.is_about(resources)
    ]


def _module(source: str) -> Json:
    return js_literals.read_module(source) if _is_javascript(source) else dict(py_literals.read_module(source))


def _is_javascript(source: str) -> bool:
    """Whether it is meant as JavaScript: it exports something, or assigns nothing as Python does."""
    return bool(_EXPORTS.search(source)) or not _ASSIGNS.search(source)


def _name(manager: str, rule: QuotaRule, scope: Mapping[str, Json]) -> str:
    whom = [f"{key}={scope.get(key, '')}" for key in rule.scope]
    return f"quota/{manager}/{derive_id(str(rule.window), *rule.resources, '/', *whom)}"


def _rules(module: Json, problems: list[Problem]) -> Iterator[QuotaRule]:
    if not isinstance(module, dict):
        problems.append(_problem("source", f"It exports {kind_of(module)} and not an object.", "Write { rules: [] }."))
        return
    problems += [
        _problem(key[:MAX_NAME], "A quota has no such key.", "Known keys: name, rules.")
        for key in module
        if key not in ("name", "rules")
    ]
    rules = module.get("rules")
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        problems.append(_problem("rules", f"It is no list of at most {MAX_RULES} rules.", "Write rules: [ { … } ]."))
        return
    known: set[tuple[timedelta, tuple[str, ...], tuple[str, ...]]] = set()
    for number, rule in enumerate(rules):
        found = _rule(f"rules[{number}]", rule, problems)
        if found is not None:
            if (found.window, found.resources, found.scope) in known:
                said = "There is a rule of this window, resource and scope already."
                problems.append(_problem(f"rules[{number}]", said, "Keep the stricter one."))
            known.add((found.window, found.resources, found.scope))
            yield found


def _rule(where: str, rule: Json, problems: list[Problem]) -> QuotaRule | None:
    if not isinstance(rule, dict):
        problems.append(_problem(where, f"It is {kind_of(rule)} and not an object."))
        return None
    before = len(problems)
    problems += [
        _problem(f"{where}.{key[:MAX_NAME]}", "A rule has no such key.", f"Known keys: {', '.join(_KEYS)}.")
        for key in rule
        if key not in _KEYS
    ]
    throttling = rule.get("throttling", "window-sliding")
    if throttling not in ("window-sliding", "limit-concurrency"):
        fix = "Write 'window-sliding' or 'limit-concurrency'."
        problems.append(_problem(f"{where}.throttling", "There is no such way.", fix))
    if rule.get("queueing", "fifo") != "fifo":
        problems.append(_problem(f"{where}.queueing", "There is no such order.", "Write 'fifo'."))
    limit = _whole(rule.get("limit"), MAX_LIMIT)
    if not limit:
        problems.append(_problem(f"{where}.limit", f"It is no whole number from 1 to {MAX_LIMIT}."))
    window = timedelta()
    if throttling != "limit-concurrency":
        longest = round(LONGEST_WINDOW.total_seconds() * 1000)
        window = timedelta(milliseconds=_whole(rule.get("window"), longest))
        if not window:
            said = f"It is no whole number of milliseconds from 1 to {longest}."
            problems.append(_problem(f"{where}.window", said, "31 days are the longest."))
    elif "window" in rule:
        said = "What is limited by concurrency has no window."
        problems.append(_problem(f"{where}.window", said, "Leave it away."))
    names = {key: _names(f"{where}.{key}", rule.get(key), problems) for key in ("resource", "scope")}
    return None if len(problems) > before else QuotaRule(limit, window, names["resource"], names["scope"])


def _whole(value: Json, largest: int) -> int:
    """The number from 1 to `largest`; 0 where it is none."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest
    return value if is_whole and isinstance(value, int) else 0


def _names(where: str, value: Json, problems: list[Problem]) -> tuple[str, ...]:
    listed = [] if value is None else value if isinstance(value, list) else [value]
    names = tuple(each for each in listed if isinstance(each, str) and 1 <= len(each) <= MAX_NAME)
    if len(names) < len(listed):
        said = f"It is no name of 1 to {MAX_NAME} characters, nor a list of such."
        problems.append(_problem(where, said, "Write 'requests' or ['requests']."))
    return tuple(sorted(set(names)))


def _problem(where: str, message: str, fix: str = "") -> Problem:
    return Problem(where, message, fix, field=where.rpartition(".")[2])
