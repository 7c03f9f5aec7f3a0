"""The event of a run comes again as it came: in the flow as it is now, once for each id that a caller gives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import NotFound, ValidationFailed
from headrace_executor.model import RunState
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, Platform, platform, webhook

SECRET = "canary-of-the-caller-5"
EVENT = {"method": "POST", "data": {"n": 1}, "query": {}, "headers": {"authorization": f"Bearer {SECRET}"}}
SEEN: list[Any] = []


class Seeing(Component):
    """Notes what it is given."""

    async def receive(self, context: Context) -> None:
        SEEN.append(context.content)


OWN = [OwnComponent(Seeing)]


def flow(own: str = "own") -> dict[str, Any]:
    source = {"in": {"hook": ["request"]}}
    filled = {
        "type": "json2new",
        "lambda": {"all": "{{{v}}}"},
        "modifiers": {"all": {"v": {"variable": "$.hook.request.headers.authorization", "functions": []}}},
    }
    config = {"transform": {"in": {"hook": {"request": filled}}}}
    return {"hook": webhook(), own: {"type": OWN[0].type, "x": 0, "y": 0, "source": source, "config": config}}


@asynccontextmanager
async def ran(folder: Path) -> AsyncIterator[tuple[Platform, HandedFlows, str]]:
    """An executor, its flows, and a run of `f1` that is done."""
    SEEN.clear()
    flows = HandedFlows()
    flows.put("f1", flow())
    async with platform(folder, flows, own=OWN) as here:
        first, _ = await here.send("f1", "hook", EVENT)
        await here.rest(first)
        yield here, flows, first


async def test_it_is_the_same_event_with_its_secrets_in_a_run_of_its_own(tmp_path: Path) -> None:
    async with ran(tmp_path) as (here, _, first):
        flow_id, accepted = await here.service.replay_run(TENANT, first)
        detail = await here.rest(accepted.run_id)
        of_replay, again = await here.service.replay_run(TENANT, accepted.run_id)
        await here.rest(again.run_id)

    assert (flow_id, of_replay, accepted.is_new) == ("f1", "f1", True)
    assert len({first, accepted.run_id, again.run_id}) == 3
    assert [SEEN[0]] * 3 == SEEN and SECRET in json.dumps(SEEN[0])
    assert detail.run.state is RunState.DONE
    assert detail.run.event_id.startswith(f"replay:{first}:")
    assert SECRET not in str(detail.steps), "what is shown is without secrets still"


async def test_under_one_id_it_comes_again_once(tmp_path: Path) -> None:
    async with ran(tmp_path) as (here, _, first):
        replays = [(await here.service.replay_run(TENANT, first, "press-1"))[1] for _ in range(3)]
        await here.rest(replays[0].run_id)

    assert [each.is_new for each in replays] == [True, False, False]
    assert len({each.run_id for each in replays}) == 1
    assert len(SEEN) == 2


async def test_it_runs_in_the_flow_as_it_is_now(tmp_path: Path) -> None:
    async with ran(tmp_path) as (here, flows, first):
        flows.put("f1", flow("renamed"), version=2)
        here.app.plans.forget("f1")
        _, accepted = await here.service.replay_run(TENANT, first)
        detail = await here.rest(accepted.run_id)

    assert detail.run.version == 2
    assert {each.node_id for each in detail.steps} == {"hook", "renamed"}


async def test_what_cannot_run_again_says_why(tmp_path: Path) -> None:
    async with ran(tmp_path) as (here, flows, first):
        with pytest.raises(NotFound, match="run"):
            await here.service.replay_run("b" * 24, first)
        with pytest.raises(NotFound, match="none"):
            await here.service.replay_run(TENANT, "none")
        without = {"other": webhook(), **{name: each for name, each in flow().items() if name != "hook"}}
        without["own"] = {**without["own"], "source": {}}
        flows.put("f1", without, version=2)
        here.app.plans.forget("f1")
        with pytest.raises(ValidationFailed, match="no such component"):
            await here.service.replay_run(TENANT, first)
        flows.put("f1", flow(), is_active=False, version=3)
        here.app.plans.forget("f1")
        with pytest.raises(NotFound, match="running flow"):
            await here.service.replay_run(TENANT, first)

    assert len(SEEN) == 1
