"""Modifiers and transforms tried on values, beside the event loop and within the limits that runs have."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.expressions import (
    MAX_SCRIPTS,
    MISSING,
    MODIFIER_NAMES,
    Environment,
    FlowValues,
    Missing,
    ScriptAnswer,
    ScriptCall,
    ScriptNeeded,
    Scripts,
    apply_modifier,
    compile_transform,
)

from headrace_gateway.errors import one_problem

RunScript = Callable[[ScriptCall], Awaitable[ScriptAnswer]]
"""Runs a modifier that is written in JavaScript."""

TRIED: Final = "tried"
"""What a modifier is called that is tried without being in the document."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What earlier steps sent, by component and port. Keeps `expressions.Scope`."""

    values: Mapping[str, Json]

    def lookup(self, node_id: str, port: str) -> "Json | Missing":
        ports = self.values.get(node_id)
        return ports[port] if isinstance(ports, dict) and port in ports else MISSING


async def modifier(
    name: str, arguments: Sequence[Json], named: Mapping[str, Json], now: datetime, run_script: RunScript
) -> Json:
    """The result of a modifier for the first argument as its value and the rest as they are.

    What is no built-in one is given to `run_script`. Raises ValidationFailed when it fails or gives nothing.
    """
    value, *rest = arguments or (None,)
    if name in MODIFIER_NAMES:
        environment = _environment(Outputs({}), None, now)
        made = await asyncio.to_thread(apply_modifier, name, value, rest, named, environment)
    else:
        answered = await run_script(ScriptCall(name, value, rest, named))
        if answered.failure:
            raise one_problem("helperFn", f"The modifier fails: {answered.failure}.")
        made = answered.value
    if made is None:
        raise one_problem("helperFn", "The modifier gives nothing for these arguments.")
    return made


async def transform(
    entry: Mapping[str, Json], outputs: Mapping[str, Json], content: Json, now: datetime, run_script: RunScript
) -> Json:
    """The content that a transform makes of what earlier steps sent.

    Raises ValidationFailed naming what is wrong with the transform, or which modifiers failed.
    """
    seed, scripts = secrets.token_bytes(16), Scripts()

    def render() -> tuple[Json, Environment] | ScriptCall:
        environment = _environment(Outputs(outputs), content, now, seed, scripts)
        try:
            return compile_transform(entry, where="transform").apply(environment), environment
        except ScriptNeeded as needed:
            return needed.call

    while isinstance(rendered := await asyncio.to_thread(render), ScriptCall):
        if len(scripts.answers) >= MAX_SCRIPTS:
            raise one_problem("transform", f"It takes more than {MAX_SCRIPTS} calls of modifiers in JavaScript.")
        scripts.answers[rendered.key] = await run_script(rendered)
    made, environment = rendered
    for failure in environment.failures:
        raise one_problem(failure.where, f"The modifier {failure.modifier} fails: {failure.reason}.")
    return made


def _environment(
    outputs: Outputs, content: Json, now: datetime, seed: bytes = b"", scripts: Scripts | None = None
) -> Environment:
    values = FlowValues("", "", "", "", {})
    return Environment(outputs, content, values, now, seed or secrets.token_bytes(16), scripts=scripts)
