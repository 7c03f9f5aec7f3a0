"""What a call of a published component costs over one that is built in: `python -m bench.runners [calls]`.

The same component, once in the executor and once in a runner. One call after the other is measured at the component,
with the context that the engine makes; many at a time are whole runs, from the event to their end.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from headrace_core.clock import SystemClock
from headrace_core.expressions import Json
from headrace_executor.context import MemoryOfNode, StepContext
from headrace_executor.model import Delivery, Message, Run
from headrace_executor.plan import Plan
from headrace_executor.settings import RunnerSettings
from headrace_sdk.component import carry_out

from tests.executor.platform import HandedFlows, OwnComponent, Platform, platform, webhook
from tests.executor.published import Shelf, component_of

CODE = """
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            await context.send_json(context.content)
    """
CALLS = 1_000
AT_ONCE = 64
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one call at its median and at the 99th of a hundred, and calls a second when many are made."""

    p50: float
    p99: float
    per_second: float


async def measure(calls: int, *, is_published: bool) -> Cost:
    """The cost of a call of `CODE`."""
    shelf, flows = Shelf(), HandedFlows()
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
            for _ in range(rounds):
                await asyncio.gather(*(_run(here) for _ in range(AT_ONCE)))
            took = time.perf_counter() - began
    cuts = quantiles(spans, n=100)
    return Cost(cuts[49] * 1000, cuts[98] * 1000, rounds * AT_ONCE / took)


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


def table(built_in: Cost, published: Cost) -> str:
    """Both, for people."""
    rows = [("built in", built_in), ("published", published)]
    lines = [f"{name:10} {cost.p50:8.3f} ms {cost.p99:8.3f} ms {cost.per_second:8.0f}/s" for name, cost in rows]
    overhead = published.p50 - built_in.p50
    return "\n".join([f"{'':10} {'p50':>11} {'p99':>11} {'at once':>10}", *lines, f"overhead   {overhead:8.3f} ms"])


def main(arguments: Sequence[str]) -> int:
    calls = int(arguments[0]) if arguments else CALLS
    built_in = asyncio.run(measure(calls, is_published=False))
    published = asyncio.run(measure(calls, is_published=True))
    print(table(built_in, published))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
