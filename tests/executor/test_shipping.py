"""What of a flow's runs goes to the log is the flow's choice; what a run did stays on its own record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

from headrace_core.clock import TestClock
from headrace_core.manifest import parse_manifest
from headrace_executor.plan import ComponentEntry, Components
from headrace_executor.plans import Plans
from headrace_sdk import CancelError, Component, Context

from .platform import HandedFlows, OwnComponent, node, platform, webhook
from .test_fleet import until
from .test_keeping import own_node
from .test_runs import HOOK, event


class Refusing(Component):
    """Says something and fails for good."""

    async def receive(self, context: Context) -> None:
        context.log("so far so good")
        raise CancelError("no")


def refusing_flow() -> dict:
    return {HOOK: webhook(), "own": own_node(), "reply": node("http.Response", {HOOK: "request"})}


async def test_a_flow_logs_what_its_level_says_and_its_runs_tell_all(tmp_path: Path) -> None:
    flows = HandedFlows()
    for level in ("none", "errors", "all"):
        flows.put(level, refusing_flow(), log_level=level)
    async with platform(tmp_path, flows, own=[OwnComponent(Refusing)]) as made:
        details = {}
        for flow_id in ("none", "errors", "all"):  # shipped in this order
            run_id, _ = await made.send(flow_id, HOOK, event("ada"))
            details[flow_id] = await made.rest(run_id)
        async with asyncio.timeout(5):
            await until(
                lambda: any(
                    each.fields["flowId"] == "all" and each.fields["severity"] == "error"
                    for each in made.logs.entries.values()
                )
            )

        logged: dict[object, set[object]] = defaultdict(set)
        for entry in made.logs.entries.values():
            logged[entry.fields["flowId"]].add(entry.fields["severity"])
        assert logged == {"errors": {"error"}, "all": {"info", "error"}}
        assert {len(detail.steps) for detail in details.values()} == {3}


async def test_a_level_that_is_changed_holds_for_the_next_event_without_a_restart() -> None:
    flows = HandedFlows()
    flows.put("f", {"n": own_node()}, log_level="none")
    own = OwnComponent(Refusing)
    entry = ComponentEntry.of("appmixer.own.test.Own", parse_manifest(dict(own.manifest)), Refusing())
    plans = Plans(flows, Components([entry]), TestClock(), "http://localhost")
    await plans.active("f")

    flows.put("f", {"n": own_node()}, log_level="errors")
    plans.forget("f")
    fresh = await plans.active("f")

    assert fresh is not None and fresh.log_level == "errors"
    assert await plans.version("f", 1) is fresh
