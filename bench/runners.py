"""What a call of a published component costs over one that is built in: `python -m bench.runners [calls]`.

The same component, in the executor and in a runner of each language. Calls are measured at the component, with the
context that the engine makes: one after the other, and many at a time. Runs are whole, from the event to their end.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Literal, get_args

from headrace_core.clock import SystemClock
from headrace_core.errors import ValidationFailed
from headrace_core.expressions import Json
from headrace_executor.context import MemoryOfNode, StepContext
from headrace_executor.model import Delivery, Message, Run
from headrace_executor.plan import Plan
from headrace_executor.settings import RunnerSettings
from headrace_sdk.component import carry_out

from bench.report import markdown_table
from tests.executor.platform import HandedFlows, OwnComponent, Platform, platform, webhook
from tests.executor.published import Shelf, component_of

CODE = """
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            await context.send_json(context.content)
    """
JAVASCRIPT = """
    module.exports = {
        async receive(context) {
            await context.sendJson(context.messages.in.content, 'out');
        }
    };
    """
Place = Literal["built in", "python", "javascript"]
PLACES: tuple[Place, ...] = get_args(Place)
CALLS = 1_000
AT_ONCE = 64
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one call at its median and at the 99th of a hundred; calls and runs a second, many at once."""

    p50: float
    p99: float
    calls: float
    runs: float


async def measure(calls: int, place: Place) -> Cost:
    """The cost of a call of `CODE`. Raises ValidationFailed where there is no runner of the language."""
    shelf, flows = Shelf(), HandedFlows()
    is_published = place != "built in"
    if place == "javascript":
        published = shelf.publish_javascript(JAVASCRIPT, effect="read")
    else:
        published = shelf.publish(CODE, effect="read")
    node = {"type": published.type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
    flows.put("f", {"hook": webhook(), "own": node}, components=[published] if is_published else [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = [] if is_published else [OwnComponent(component_of(folder, CODE), published.type)]
        async with platform(folder, flows, own=own, shelf=shelf, runners=RunnerSettings(), workers=AT_ONCE) as here:
            run = await _run(here)
            plan = await here.app.plans.version("f", 1)
            await _calls(here, plan, run, WARM_UP)
            spans = await _calls(here, plan, run, calls)
            rounds = max(1, calls // AT_ONCE)
            began = time.perf_counter()
            await asyncio.gather(*(_calls(here, plan, run, rounds) for _ in range(AT_ONCE)))
            together = time.perf_counter() - began
            began = time.perf_counter()
            for _ in range(rounds):
                await asyncio.gather(*(_run(here) for _ in range(AT_ONCE)))
            took = time.perf_counter() - began
    cuts = quantiles(spans, n=100)
    return Cost(cuts[49] * 1000, cuts[98] * 1000, rounds * AT_ONCE / together, rounds * AT_ONCE / took)


async def _run(here: Platform) -> Run:
    run_id, _ = await here.send("f", "hook", {"method": "POST", "data": {"a": 1}})
    return (await here.rest(run_id, within=60)).run


async def _calls(here: Platform, plan: Plan, run: Run, count: int) -> list[float]:
    """Seconds that each of these calls took."""
    node, now = plan.nodes["own"], SystemClock().now()
    content: Json = {"method": "POST", "data": {"a": 1}}
    delivery = Delivery("0" * 32, Message("m", "hook", "request", content), "own", "in")
    memory = MemoryOfNode(dict, lambda name, operation: None)
    spans = []
    for _ in range(count):
        context = StepContext(
            here.app.doors, plan, node, run, delivery, content, {}, memory, now, checkpoint=_no_checkpoint
        )
        began = time.perf_counter()
        await carry_out(node.component.receive(context), context)
        spans.append(time.perf_counter() - began)
    return spans


async def _no_checkpoint() -> None:
    """One message is far from the many that would be sent ahead."""


def measure_all(calls: int) -> dict[Place, Cost]:
    """The cost in each place there is; JavaScript needs Node.js."""
    found: dict[Place, Cost] = {}
    for place in PLACES:
        with suppress(ValidationFailed):
            found[place] = asyncio.run(measure(calls, place))
    return found


def rows(costs: Mapping[Place, Cost]) -> list[list[str]]:
    """A row for each place, in the order of `HEADING`."""
    own = costs["built in"]
    return [[place, *_shown(cost, own)] for place, cost in costs.items()]


def _shown(cost: Cost, own: Cost) -> list[str]:
    spans = [f"{cost.p50:.3f}", f"{cost.p99:.3f}", f"{cost.p50 - own.p50:.3f}"]
    rates = [f"{cost.calls:.0f}", f"{cost.calls / own.calls:.3f}", f"{cost.runs:.0f}", f"{cost.runs / own.runs:.2f}"]
    return [*spans, *rates]


HEADING = (
    "a call of a component",
    "p50 ms",
    "p99 ms",
    "over built in, ms",
    "calls/s, 64 at once",
    "times built in",
    "runs/s, 64 at once",
    "times built in",
)


def main(arguments: Sequence[str]) -> int:
    calls = int(arguments[0]) if arguments else CALLS
    print("\n".join(markdown_table(HEADING, rows(measure_all(calls)))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
