"""The public fields of a flow record: which there are and what each may hold."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from headrace_core import Json
from headrace_core.errors import BadRequest, Problem, ValidationFailed
from headrace_core.flow import kind_of, parse_descriptor

from headrace_flow_manager import json_text
from headrace_flow_manager.flows.logger import LogLevel
from headrace_flow_manager.flows.sharing import PERMISSIONS

DEFAULT_NAME = "New flow"
MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_NAME = 512
MAX_TEXT = 100_000

TYPES = ("automation", "integration-draft", "integration-template", "integration-instance")
SHARED_WITH = ("email", "domain", "scope", "group")

READ_ONLY: Final = frozenset(
    {
        "flowId", "userId", "stage", "btime", "mtime", "started", "stopped", "revision", "version",
        "runningVersion", "runtimeErrors", "stageError", "needsAccounts",
    }
)  # fmt: skip
"""Fields that the service keeps itself. Clients send whole records back, so these are passed over."""

_FLOW_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Check = Callable[[Json], str]
"""Says what is wrong with a value; "" when nothing is."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Fields to set and to remove, and the new descriptor where there is one."""

    fields: Mapping[str, Json]
    removed: frozenset[str]
    descriptor: Mapping[str, Json] | None

    def waiting_for(self, services: Sequence[str]) -> "Changes":
        """These changes of a flow whose newest version waits for accounts of these services, or of none any more."""
        if not services:
            return replace(self, removed=self.removed | {"needsAccounts"})
        return replace(self, fields={**self.fields, "needsAccounts": list(services)})

    def applied(self, record: Mapping[str, Json]) -> dict[str, Json]:
        """The record with the changes made. Raises TooLarge when it grows over its limit."""
        merged = {name: value for name, value in record.items() if name not in self.removed} | dict(self.fields)
        merged.setdefault("name", DEFAULT_NAME)
        json_text.limited(json_text.encode(merged), MAX_RECORD_BYTES, "flow record")
        return merged


def parse_changes(value: Mapping[str, Json]) -> Changes:
    """Read fields as a client sends them; null removes one.

    Raises ValidationFailed with every problem, those of the descriptor included, or TooLarge for its size.
    """
    given = {name: each for name, each in value.items() if name not in READ_ONLY}
    problems = list(_problems(given))
    descriptor = given.get("flow")
    if "flow" in given:
        try:
            parse_descriptor(descriptor if descriptor is not None else {})
        except ValidationFailed as failed:
            problems += failed.problems
    if problems:
        raise ValidationFailed(problems)
    return Changes(
        fields={name: each for name, each in given.items() if each is not None and name != "flow"},
        removed=frozenset(name for name, each in given.items() if each is None),
        descriptor=(descriptor if isinstance(descriptor, dict) else {}) if "flow" in given else None,
    )


def check_flow_id(flow_id: str) -> str:
    """The id itself. Raises BadRequest when a client chose one that is not allowed."""
    if not _FLOW_ID.fullmatch(flow_id):
        raise BadRequest("A flow id has 1 to 64 letters, digits, hyphens and underscores. Use a UUID.")
    return flow_id


def _problems(given: Mapping[str, Json]) -> Iterator[Problem]:
    for name, value in given.items():
        check = _CHECKS.get(name)
        if check is None:
            known = ", ".join(sorted(_CHECKS))
            shown = name[:100]
            yield Problem(shown, f"A flow has no field {shown!r}.", f"Known fields: {known}.", field=shown)
        elif value is not None and (said := check(value)):
            yield Problem(name, said, field=name)


def _text(limit: int) -> Check:
    def check(value: Json) -> str:
        if not isinstance(value, str):
            return f"It is {kind_of(value)} and not text."
        return f"It has {len(value)} characters, and {limit} are allowed." if len(value) > limit else ""

    return check


def _number(value: Json) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "It is no number from 1."


def _object(value: Json) -> str:
    return "" if isinstance(value, dict) else f"It is {kind_of(value)} and not an object."


def _texts(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ""
    return "It is no list of texts."


def _type(value: Json) -> str:
    return "" if value in TYPES else f"A flow is one of {', '.join(TYPES)}."


def _id_map(value: Json) -> str:
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return ""
    return "It is no object from component id to component id."


def _shared_with(value: Json) -> str:
    if not isinstance(value, list):
        return "It is no list."
    for each in value:
        if not isinstance(each, dict) or not any(isinstance(each.get(who), str) for who in SHARED_WITH):
            return f"Each entry names one of {', '.join(SHARED_WITH)}."
        permissions = each.get("permissions")
        if not isinstance(permissions, list) or not all(permission in PERMISSIONS for permission in permissions):
            return f"Each entry has a list of permissions out of {', '.join(PERMISSIONS)}."
    return ""


def _logger(value: Json) -> str:
    if isinstance(value, dict) and value.keys() == {"level"} and value["level"] in tuple(LogLevel):
        return ""
    return f"It is no object with a level out of {', '.join(LogLevel)}."


def _descriptor(_value: Json) -> str:
    return ""  # parse_descriptor says it all


_CHECKS: Mapping[str, Check] = {
    "name": _text(MAX_NAME),
    "description": _text(MAX_TEXT),
    "notes": _text(MAX_TEXT),
    "type": _type,
    "flow": _descriptor,
    "thumbnail": _text(MAX_RECORD_BYTES),
    "svg": _text(MAX_RECORD_BYTES),
    "customFields": _object,
    "sharedWith": _shared_with,
    "wizard": _object,
    "categories": _texts,
    "templateId": _text(MAX_NAME),
    "templateVersion": _number,
    "originFlowId": _text(MAX_NAME),
    "componentIdMap": _id_map,
    "mode": _text(MAX_NAME),
    "logger": _logger,
}
