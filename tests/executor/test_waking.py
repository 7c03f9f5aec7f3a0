"""A run that waits is woken by another run of its tenant, once, whatever dies in between, and by nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from headrace_executor.model import RunState
from headrace_executor.service import RunDetail
from headrace_sdk import Component, Context

from .platform import HandedFlows, OwnComponent, Platform, platform, webhook

FLOW = {
    "hook": webhook(immediateResponse=True),
    "own": {"type": "appmixer.own.test.Own", "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}},
}


class Waiting(Component):
    """Waits a day, and says what came of it."""

    async def receive(self, context: Context) -> None:
        if context.port == "in":
            await context.send_json({"waits": await context.set_timeout({"is": "late"}, timedelta(days=1))})
        else:
            await context.send_json({"port": context.port, "content": context.content})


async def waiting(here: Platform) -> tuple[str, str]:
    """A run that waits, and its timeout."""
    run_id, _ = await here.send("f1", "hook", {"method": "POST", "data": None})
    detail = await here.until(run_id, RunState.WAITING)
    [step] = [each for each in detail.steps if each.node_id == "own"]
    output: Any = step.outputs[0][2]
    return run_id, str(output["waits"])


def sent(detail: RunDetail) -> list[Any]:
    steps = [each for each in detail.steps if each.node_id == "own"]
    return [content for each in steps[1:] for _, _, content in each.outputs]


async def test_the_first_who_wakes_it_is_heard_and_nobody_after(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f1", FLOW)
    async with platform(tmp_path, flows, own=[OwnComponent(Waiting)]) as here:
        run_id, timeout_id = await waiting(here)
        waker = (await here.service.get_run(None, run_id)).run

        for _ in range(2):
            await here.service.wake(waker, timeout_id, {"is": "first"})
        detail = await here.rest(run_id)
        await here.service.wake(waker, timeout_id, {"is": "later"})
        again = await here.rest(run_id)

    assert sent(detail) == sent(again) == [{"port": "answer", "content": {"is": "first"}}]


async def test_another_tenant_and_unknown_names_wake_nobody(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f1", FLOW)
    async with platform(tmp_path, flows, own=[OwnComponent(Waiting)]) as here:
        run_id, timeout_id = await waiting(here)
        waker = (await here.service.get_run(None, run_id)).run

        await here.service.wake(replace(waker, tenant_id="somebody else"), timeout_id, {"is": "forged"})
        for name in ("", "unknown", "unknown.timeout", f"{run_id}.made-up"):
            await here.service.wake(waker, name, {"is": "nothing"})
        await here.service.wake(waker, timeout_id, {"is": "real"})
        detail = await here.rest(run_id)

    assert sent(detail) == [{"port": "answer", "content": {"is": "real"}}]


async def test_who_was_woken_goes_on_after_a_restart(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f1", FLOW)
    async with platform(tmp_path, flows, own=[OwnComponent(Waiting)]) as here:
        run_id, timeout_id = await waiting(here)
        waker = (await here.service.get_run(None, run_id)).run
    async with platform(tmp_path, flows, own=[OwnComponent(Waiting)]) as here:
        assert (await here.service.get_run(None, run_id)).run.state is RunState.WAITING
        await here.service.wake(waker, timeout_id, {"is": "first"})
    async with platform(tmp_path, flows, own=[OwnComponent(Waiting)]) as here:
        detail = await here.rest(run_id)

    assert sent(detail) == [{"port": "answer", "content": {"is": "first"}}]
