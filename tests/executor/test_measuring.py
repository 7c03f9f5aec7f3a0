"""What an executor shows of itself, and that a batch larger than its room is worked off all the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
from headrace_executor.model import RunState
from headrace_executor.service import Event

from .platform import HandedFlows, Platform, platform
from .test_fleet import SlowWeb, waiting_flow
from .test_runs import HOOK, echo_flow, event


def flows_of(descriptor: dict[str, Any]) -> HandedFlows:
    flows = HandedFlows()
    flows.put("f", descriptor)
    return flows


async def shown(one: Platform, name: str) -> float:
    found = re.search(rf"^headrace_executor_{name} (\S+)$", await one.metrics.text(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def test_what_an_executor_did_is_counted(tmp_path: Path) -> None:
    async with platform(tmp_path, flows_of(echo_flow())) as one:
        run_id, _ = await one.send("f", HOOK, event("Ada"), event_id="e1", wait=True)
        await one.send("f", HOOK, event("Ada"), event_id="e1")
        await one.rest(run_id)

        assert await shown(one, "accepted_total") == 1
        assert await shown(one, "duplicates_total") == 1
        assert await shown(one, "committed_total") >= 1
        assert await shown(one, "ready_age_seconds") == 0


async def test_the_age_is_that_of_the_oldest_run_that_nobody_takes(tmp_path: Path) -> None:
    async with platform(tmp_path, flows_of(waiting_flow())) as full:
        await full.engine.drain(full.app.settings.drain_within)
        await full.send("f", HOOK, event("Ada"), event_id="e1")
        first = await shown(full, "ready_age_seconds")
        await full.send("f", HOOK, event("Ada"), event_id="e2")

        assert 0 < first < await shown(full, "ready_age_seconds") < 60


async def test_a_run_that_waits_for_a_worker_counts_as_ready(tmp_path: Path) -> None:
    web = SlowWeb()
    async with platform(tmp_path, flows_of(waiting_flow()), web, workers=1) as busy:
        sent = [(await busy.send("f", HOOK, event("Ada"), event_id=f"e{number}"))[0] for number in range(2)]

        assert await shown(busy, "queued_runs") >= 1
        assert await shown(busy, "ready_age_seconds") > 0

        web.may_answer.set()
        for run_id in sent:
            await busy.rest(run_id)
        assert await shown(busy, "ready_age_seconds") == 0


async def test_a_batch_that_is_larger_than_the_room_is_worked_off(tmp_path: Path) -> None:
    web = SlowWeb()
    async with platform(tmp_path, flows_of(waiting_flow()), web, workers=1, backlog=1) as small:
        content = orjson.dumps(event("Ada"))
        events = [Event(each, "f", HOOK, "webhook", f"e{each}", "", content, False, 5.0) for each in range(6)]
        outcomes, _ = await small.service.accept(events)
        web.may_answer.set()

        for outcome in outcomes:
            assert (await small.rest(outcome.run_id)).run.state is RunState.DONE
