"""A run that waits goes on with another version of its flow where what it did means the same, and else says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import NotFound, Unavailable
from headrace_executor.model import Inbound, RunState
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, Platform, node, platform, set_variables, webhook
from .test_keeping import own_node
from .test_runs import HOOK, event

HOUR = timedelta(hours=1)


class Gate(Component):
    """Lets messages pass once it is open; until then they wait for their next attempt."""

    is_open = False

    async def receive(self, context: Context) -> None:
        if not self.is_open:
            raise Unavailable("The gate is shut.")
        await context.send_json({"passed": True})


def gated(**more: Any) -> dict[str, Any]:
    return {HOOK: webhook(), "own": own_node(), "after": set_variables({"own": "out"}, said="old"), **more}


def changed(**more: Any) -> dict[str, Any]:
    """Another version: what comes after the gate is another component, and the gate stands elsewhere."""
    flow = gated(after=set_variables({"own": "out"}, said="new"), last=set_variables({"after": "out"}, said="last"))
    flow["own"] = {**own_node(), "x": 500, "label": "Gate"}
    return {**flow, **more}


@pytest.fixture
def flows() -> HandedFlows:
    handed = HandedFlows()
    handed.put("f", gated())
    return handed


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def made(tmp_path: Path, flows: HandedFlows, gate: Gate) -> AsyncIterator[Platform]:
    own = [OwnComponent(lambda: gate)]
    async with platform(tmp_path, flows, own=own, retry_first=HOUR, retry_longest=HOUR) as running:
        yield running


async def waiting(made: Platform) -> str:
    run_id, _ = await made.send("f", HOOK, event("ada"))
    await made.until(run_id, RunState.WAITING)
    return run_id


async def open_gate(made: Platform, gate: Gate, run_id: str) -> None:
    """What waits at the gate is tried again at once."""
    detail = await made.service.get_run(TENANT, run_id)
    gate.is_open = True
    retry = Inbound(0, "retry", detail.waits[0][0].id, b"")
    await made.store.put_inbox(TENANT, run_id, retry, 0.0)
    made.engine.nudge()


async def test_a_run_that_was_moved_goes_on_with_the_new_version_from_where_it_waits(
    made: Platform, flows: HandedFlows, gate: Gate
) -> None:
    moved, kept = await waiting(made), await waiting(made)
    flows.put("f", changed(), version=2)

    (verdict,) = await made.app.migration.some(TENANT, "f", 2, [moved], dry_run=False)
    for run_id in (moved, kept):
        await open_gate(made, gate, run_id)
    ends = [await made.rest(run_id) for run_id in (moved, kept)]

    assert (verdict.moved, verdict.version, verdict.reasons) == (True, 1, ())
    assert [detail.run.version for detail in ends] == [2, 1]
    assert [[step.node_id for step in detail.steps] for detail in ends] == [
        [HOOK, "own", "after", "last"],
        [HOOK, "own", "after"],
    ]
    said = [next(step for step in detail.steps if step.node_id == "after").outputs[0][2] for detail in ends]
    assert said == [{"said": "new"}, {"said": "old"}]


async def test_a_preview_moves_nothing(made: Platform, flows: HandedFlows) -> None:
    run_id = await waiting(made)
    flows.put("f", changed(), version=2)

    verdicts, total = await made.app.migration.page(TENANT, "f", 2, 0, 10, dry_run=True)

    assert [(each.run_id, each.moved) for each in verdicts] == [(run_id, True)] and total == 1
    assert (await made.service.get_run(TENANT, run_id)).run.version == 1


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "its component is gone": ({"own": set_variables({HOOK: "request"}, said="x")}, "gone or of another type"),
    "its link is gone": ({"own": {**own_node(), "source": {}}}, "no such link"),
    "its in-port is another": ({"own": {**own_node(), "source": {"other": {HOOK: ["request"]}}}}, "no such link"),
    "a message would be made up": (
        {"extra": set_variables({HOOK: "request"}, said="x")},
        "extra] would get a message that was sent before it was linked",
    ),
    "its trigger is another": ({HOOK: node("controls.OnStart", {})}, "trigger"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_a_run_that_cannot_go_on_there_stays_and_says_why(
    made: Platform, flows: HandedFlows, gate: Gate, case: str
) -> None:
    nodes, reason = UNFIT[case]
    run_id = await waiting(made)
    flows.put("f", changed(**nodes), version=2)

    (verdict,) = await made.app.migration.some(TENANT, "f", 2, [run_id], dry_run=False)

    assert not verdict.moved and any(reason in each for each in verdict.reasons), verdict.reasons
    await open_gate(made, gate, run_id)
    end = await made.rest(run_id)
    assert (end.run.version, [step.node_id for step in end.steps]) == (1, [HOOK, "own", "after"])


async def test_moving_a_run_again_or_one_that_is_over_changes_nothing(
    made: Platform, flows: HandedFlows, gate: Gate
) -> None:
    run_id, over = await waiting(made), await waiting(made)
    await open_gate(made, gate, over)
    await made.rest(over)
    flows.put("f", changed(), version=2)
    await made.app.migration.some(TENANT, "f", 2, [run_id], dry_run=False)

    again, ended = await made.app.migration.some(TENANT, "f", 2, [run_id, over], dry_run=False)

    assert (again.moved, again.reasons) == (False, ("It has this version already.",))
    assert not ended.moved and "does not wait" in ended.reasons[0]


async def test_a_run_moves_back_as_long_as_it_means_the_same(made: Platform, flows: HandedFlows, gate: Gate) -> None:
    run_id = await waiting(made)
    flows.put("f", changed(), version=2)
    for version in (2, 1):
        (verdict,) = await made.app.migration.some(TENANT, "f", version, [run_id], dry_run=False)
        assert verdict.moved

    await open_gate(made, gate, run_id)

    assert [step.node_id for step in (await made.rest(run_id)).steps] == [HOOK, "own", "after"]


async def test_nobody_moves_what_is_anothers(made: Platform, flows: HandedFlows) -> None:
    run_id = await waiting(made)
    flows.put("f", changed(), version=2)
    flows.put("g", gated())

    for tenant, flow_id, version, name in (
        ("b" * 24, "f", 2, run_id),
        (TENANT, "f", 7, run_id),
        (TENANT, "f", 2, "no-run"),
        (TENANT, "g", 1, run_id),
    ):
        with pytest.raises(NotFound):
            await made.app.migration.some(tenant, flow_id, version, [name], dry_run=False)

    assert (await made.service.get_run(TENANT, run_id)).run.version == 1
