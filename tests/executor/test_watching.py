"""Who watches a flow hears of every step that waits, for what, and that it goes on under the same id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from headrace_executor.model import RunState
from headrace_sdk import Component, Context
from headrace_sdk.errors import ComponentError

from .platform import HandedFlows, OwnComponent, platform, webhook

OWN = {"type": "appmixer.own.test.Own", "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}}


class Waiting(Component):
    """Fails once, then waits a day."""

    has_tried = False

    async def receive(self, context: Context) -> None:
        if not self.has_tried:
            self.has_tried = True
            raise ComponentError("not yet")
        if context.port == "in":
            await context.set_timeout({"is": "late"}, timedelta(days=1))


async def seen_until(seen: list[dict[str, Any]], has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not has_come():  # noqa: ASYNC110 (whoever watches it has nothing to wait for)
            await asyncio.sleep(0.01)


async def test_waits_are_told_of_with_their_reason_until_the_step_goes_on(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f1", {"hook": webhook(immediateResponse=True), "own": {**OWN, "config": {}}})
    once, soon = Waiting(), timedelta(milliseconds=10)
    async with platform(tmp_path, flows, own=[OwnComponent(lambda: once)], retry_first=soon) as here:
        seen: list[dict[str, Any]] = []

        async def watch() -> None:
            async for batch, _ in here.app.watching.watch("f1"):
                seen.extend(batch)

        watcher = asyncio.create_task(watch())
        await seen_until(seen, lambda: here.app.watching.is_watched("f1"))
        run_id, _ = await here.send("f1", "hook", {"method": "POST", "data": None})
        await here.until(run_id, RunState.WAITING)
        await seen_until(seen, lambda: any(each.get("kind") == "timeout" for each in seen))
        timeout_id = next(str(each["stepId"]) for each in seen if each.get("kind") == "timeout")
        waker = (await here.service.get_run(None, run_id)).run
        await here.service.wake(waker, timeout_id, {"is": "here"})
        await here.rest(run_id)
        await seen_until(seen, lambda: seen[-1]["type"] == "run" and seen[-1]["state"] == "done")
        watcher.cancel()

    own = [each for each in seen if each.get("componentId") == "own"]
    first = own[0]["stepId"]
    assert [(each["type"], each.get("kind") or each.get("outcome"), each["stepId"]) for each in own] == [
        ("wait", "retry", first),
        ("step", "retry", first),
        ("step", "done", first),
        ("wait", "timeout", timeout_id),
        ("step", "done", timeout_id),
    ]
    assert "not yet" in own[0]["reason"] and own[0]["dueAt"] and own[3]["dueAt"]
