"""Modifiers and transforms tried on values, beside the event loop and within the limits that runs have."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import Unsupported
from headrace_core.expressions import (
    MISSING,
    MODIFIER_NAMES,
    Environment,
    FlowValues,
    Missing,
    apply_modifier,
    compile_transform,
)

from headrace_gateway.errors import one_problem


@dataclass(frozen=True, slots=True)
class Outputs:
    """What earlier steps sent, by component and port. Keeps `expressions.Scope`."""

    values: Mapping[str, Json]

    def lookup(self, node_id: str, port: str) -> "Json | Missing":
        ports = self.values.get(node_id)
        return ports[port] if isinstance(ports, dict) and port in ports else MISSING


async def modifier(name: str, arguments: Sequence[Json], named: Mapping[str, Json], now: datetime) -> Json:
    """The result of a built-in modifier for the first argument as its value and the rest as they are.

    Raises Unsupported for one that is written in JavaScript, ValidationFailed when it fails or gives nothing.
    """
    if name not in MODIFIER_NAMES:
        raise Unsupported("Only built-in modifiers can be tried here: name one, for instance g_uppercase.")
    value, *rest = arguments or (None,)
    environment = _environment(Outputs({}), None, now)
    made = await asyncio.to_thread(apply_modifier, name, value, rest, named, environment)
    if made is None:
        raise one_problem("helperFn", "The modifier gives nothing for these arguments.")
    return made


async def transform(entry: Mapping[str, Json], outputs: Mapping[str, Json], content: Json, now: datetime) -> Json:
    """The content that a transform makes of what earlier steps sent.

    Raises ValidationFailed naming what is wrong with the transform, or which modifiers failed.
    """
    environment = _environment(Outputs(outputs), content, now)
    made = await asyncio.to_thread(lambda: compile_transform(entry, where="transform").apply(environment))
    for failure in environment.failures:
        raise one_problem(failure.where, f"The modifier {failure.modifier} fails: {failure.reason}.")
    return made


def _environment(outputs: Outputs, content: Json, now: datetime) -> Environment:
    return Environment(outputs, content, FlowValues("", "", "", "", {}), now, secrets.token_bytes(16))
