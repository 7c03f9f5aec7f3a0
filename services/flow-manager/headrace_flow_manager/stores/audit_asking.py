"""What of a query about the trail a database answers by itself; the rest is for the plain evaluator."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headrace_flow_manager import json_text, times
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import Condition, ListQuery

SEARCHED: Final = ("actor", "action", "summary", "target")
"""The fields that a pattern is looked for in."""

_TEXTS: Final[Mapping[str, str]] = {
    "actId": "act_id",
    "actorId": "actor_id",
    "actor": "actor_name",
    "address": "address",
    "requestId": "request_id",
    "action": "action",
    "summary": "summary",
    "target": "target",
    "tenantId": "tenant_id",
}
_WORDS: Final = ("actor_name", "action", "summary", "target")
_BETWEEN: Final = "\x1f"
_MILLISECOND: Final = 1_000
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Asked:
    """Texts that columns equal, begins from `since` (included) to `until` (not), bounds of the status, folded words.

    Instants are microseconds. A status of 0 says that nobody knows how the act ended.
    """

    equal: tuple[tuple[str, str], ...] = ()
    since: int | None = None
    until: int | None = None
    least_status: int | None = None
    most_status: int | None = None
    words: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return self == Asked()


def words_of(act: Act) -> str:
    """What a pattern is looked for in, whatever the case."""
    return folded({name: getattr(act, name) for name in _WORDS})


def folded(texts: Mapping[str, str]) -> str:
    """The words of these columns."""
    return _BETWEEN.join(texts[name].casefold() for name in _WORDS)


def asked_of(query: ListQuery) -> Asked | None:
    """What the query asks for, newest first; None where only the evaluator can answer it."""
    if query.sort or _BETWEEN in query.pattern:
        return None
    equal: list[tuple[str, str]] = []
    since, until, least, most = [0], [2**62], [0], [2**31]
    for each in query.conditions:
        text = _text(each)
        if each.operator == "equal" and each.field in _TEXTS and text:
            equal.append((_TEXTS[each.field], text))
        elif each.field == "at" and (bound := _instant(each)) is not None:
            (since if each.operator == "greater" else until).append(bound)
        elif each.field == "status" and (bounds := _statuses(each)) is not None:
            least.append(bounds[0])
            most.append(bounds[1])
        else:
            return None
    return Asked(
        tuple(equal),
        max(since) or None,
        min(until) if len(until) > 1 else None,
        max(least) or None,
        min(most) if len(most) > 1 else None,
        query.pattern.casefold(),
    )


def _text(condition: Condition) -> str:
    value = condition.value
    if isinstance(value, str):
        return value
    return condition.written or json_text.encode(value)


def _instant(condition: Condition) -> int | None:
    """Where the bound lies; None for one that is written as no day and no public instant is."""
    value, is_above = condition.value, condition.operator == "greater"
    if condition.operator not in ("greater", "less") or not isinstance(value, str):
        return None
    try:
        if _DAY.fullmatch(value):
            return times.to_micros(datetime.fromisoformat(value).replace(tzinfo=UTC))
        if _MOMENT.fullmatch(value):
            return times.to_micros(datetime.fromisoformat(value)) + (_MILLISECOND if is_above else 0)
    except ValueError:  # the 30th of February
        pass
    return None


def _statuses(condition: Condition) -> tuple[int, int] | None:
    value = condition.value
    if condition.operator == "empty":
        return 0, 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1_000:
        return None
    match condition.operator:
        case "equal":
            return value, value
        case "greater":
            return value + 1, 2**31
        case "less":
            return 1, value - 1
        case _:
            return None
