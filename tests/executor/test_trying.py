"""A flow is tried from any component on, running or not; who tries it hears of it, and the run ends with them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import BadRequest, NotFound
from headrace_executor.model import RunState
from headrace_executor.service import Event
from headrace_executor.store import RunFilter

from .platform import TENANT, HandedFlows, OwnComponent, Platform, platform, set_variables
from .test_migration import HOUR, Gate, gated
from .test_runs import HOOK, event

SOON = timedelta(seconds=20)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Platform]:
    flows = HandedFlows()
    flows.put("f", {**gated(), "lonely": {**set_variables({}, said="x"), "source": {}}}, is_active=False)
    own = [OwnComponent(Gate)]
    async with platform(tmp_path, flows, own=own, retry_first=HOUR, retry_longest=HOUR) as running:
        yield running


async def tried(made: Platform, node_id: str, content: Any, within: timedelta = SOON) -> list[dict[str, Any]]:
    return [each async for each in made.app.trials.run(TENANT, "f", 1, node_id, content, within)]


async def test_a_stopped_flow_is_tried_from_one_component_on(made: Platform) -> None:
    told = await tried(made, "after", {"variables": {"ADD": [{"type": "text", "name": "a", "text": "b"}]}})

    steps = [each for each in told if each["type"] == "step"]
    assert (told[0]["type"], told[-1]["type"], told[-1]["state"]) == ("begin", "end", "done")
    assert [(each["componentId"], each["outputs"]) for each in steps] == [
        ("after", [{"port": "out", "content": {"a": "b"}}])
    ]
    run = (await made.service.get_run(TENANT, told[0]["runId"])).run
    assert run.event_id.startswith("test:") and run.state is RunState.DONE


async def test_a_trial_that_waits_is_ended_when_its_time_is_over(made: Platform) -> None:
    told = await tried(made, HOOK, event("ada"), timedelta(seconds=1))

    assert told[-1]["state"] == "timeout"
    assert {each["componentId"] for each in told if each["type"] == "step"} == {HOOK, "own"}
    assert (await made.rest(told[0]["runId"])).run.state is RunState.CANCELLED


async def test_a_trial_ends_with_who_tries_it(made: Platform) -> None:
    trial = made.app.trials.run(TENANT, "f", 1, HOOK, event("ada"), SOON)
    async with contextlib.aclosing(trial) as happenings:
        run_id = str((await anext(happenings))["runId"])

    assert (await made.rest(run_id)).run.state is RunState.CANCELLED
    assert not made.app.watching.is_watched("f")


async def test_a_trial_begins_only_where_something_can_enter_and_with_ones_own(made: Platform) -> None:
    with pytest.raises(NotFound):
        await tried(made, "nobody", None)
    with pytest.raises(NotFound):
        [each async for each in made.app.trials.run("b" * 24, "f", 1, HOOK, None, SOON)]

    assert await made.store.list_runs(RunFilter(TENANT), 0, 10) == ([], 0)


async def test_no_event_from_outside_passes_for_a_trial(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f", gated())
    async with platform(tmp_path, flows, own=[OwnComponent(Gate)], retry_first=HOUR, retry_longest=HOUR) as made:
        kept = Event(0, "f", HOOK, "webhook", "test:1", "", b"{}", False, 0.0)
        other = replace(kept, index=1, event_id="webhook-id:test:1")

        outcomes, _ = await made.service.accept([kept, other])

    refusals = {each.index: each.refusal for each in outcomes}
    assert isinstance(refusals[0], BadRequest) and refusals[1] is None
