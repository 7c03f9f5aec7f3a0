"""Timers of flows: registered from the start of the flow, recorded once for a nominal time, given back when lost."""

from datetime import UTC, datetime
from pathlib import Path

from headrace_core.schedules import next_after
from headrace_executor.model import StateChange, node_scope
from headrace_executor.store import RunFilter
from headrace_executor.timing import Fire

from .platform import TENANT, HandedFlows, Platform, node, platform, webhook

AT = datetime(2026, 1, 1, tzinfo=UTC)


def timer_flow() -> dict:
    return {"timer": node("timers.Timer", {}) | {"source": {}, "config": {"properties": {"interval": 5}}}}


def fire(flow: str, at: datetime, place: str = "timer") -> Fire:
    return Fire(f"{flow}/{place}/schedule", at, None, None, flow, place, "schedule")


async def runs(made: Platform, flow: str) -> int:
    return (await made.service.list_runs(RunFilter(TENANT, flow, None, ""), 0, 100))[1]


async def started(made: Platform, flow: str, activation: str = "a1") -> None:
    await made.app.activation.activate(flow, 1, activation)


async def test_a_repeated_activation_counts_from_when_the_first_began(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f", timer_flow())
    async with platform(tmp_path, flows) as made:
        await started(made, "f")
        first = made.timers.timers["f"]
        await started(made, "f")
        again = made.timers.timers["f"]
        await started(made, "f", "a2")
        anew = made.timers.timers["f"]

        assert first
        assert first == again
        assert first != anew


async def test_lost_timers_come_back_counted_from_the_start_and_due_from_then_on(tmp_path: Path) -> None:
    flows = HandedFlows()
    for name in ("f1", "f2", "f3"):
        flows.put(name, timer_flow())
    async with platform(tmp_path, flows) as made:
        for name in ("f1", "f2", "f3"):
            await started(made, name)
        known = {timer.timer_id: timer for timers in made.timers.timers.values() for timer in timers}

        assert await made.app.timing.restore("", 2) == "f2"
        assert await made.app.timing.restore("f2", 2) == "f3"
        assert await made.app.timing.restore("f3", 2) == ""

        restored = {timer.timer_id: timer for _, _, timer in made.timers.restored}
        assert restored.keys() == known.keys()
        for name, timer in restored.items():
            assert timer.schedule == known[name].schedule
            assert timer.since is not None
            assert next_after(timer.schedule, timer.since) is not None
            assert not timer.immediate


async def test_a_batch_of_fires_is_recorded_each_nominal_time_once(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f", {**timer_flow(), "other": timer_flow()["timer"]})
    async with platform(tmp_path, flows) as made:
        batch = [fire("f", AT), fire("f", AT, "other"), fire("gone", AT), fire("f", AT, "no such node")]

        outcomes = await made.app.timing.fire_timers(batch)
        again = await made.app.timing.fire_timers(batch[:1])

        assert [(each.is_recorded, each.is_gone) for each in outcomes] == [
            (True, False),
            (True, False),
            (False, True),
            (False, True),
        ]
        assert again[0].is_recorded
        assert await runs(made, "f") == 2


async def test_a_stop_clears_the_state_of_its_nodes_and_not_of_one_that_keeps_it_under_a_longer_name(
    tmp_path: Path,
) -> None:
    flows = HandedFlows()
    flows.put("f", {"hook": webhook(), "hook2": node("storage.Store", {"hook": "request"})})
    async with platform(tmp_path, flows) as made:
        for name in ("hook", "hook2"):
            await made.store.write_state([StateChange(node_scope(TENANT, "f", name), "set", "k", b"1")])

        await made.app.activation.deactivate("f", 1, "a1")

        assert await made.store.read_state(node_scope(TENANT, "f", "hook")) == {}
        assert await made.store.read_state(node_scope(TENANT, "f", "hook2")) == {"k": 1}
