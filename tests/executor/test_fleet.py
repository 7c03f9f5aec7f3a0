"""Two executors over one store: what one cannot do the other does, and callers get their answers all the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from headrace_core.errors import Unavailable
from headrace_core.ports import Bus
from headrace_executor.fleet import NEWS
from headrace_executor.model import RunState
from headrace_runtime.bus import LocalBus

from .platform import CountingWeb, HandedFlows, Platform, node, platform, set_variables, webhook
from .test_runs import HOOK, echo_flow, event


class DeafBus(LocalBus):
    """A broker that is away: it takes nothing."""

    async def publish(self, topic: str, payloads: object) -> None:
        raise Unavailable("The broker is away.")


@contextlib.asynccontextmanager
async def two(
    folder: Path, flows: HandedFlows, bus: Bus, web: CountingWeb | None = None
) -> AsyncIterator[tuple[Platform, Platform]]:
    """One executor that drains, so that it takes no runs, and one that works."""
    async with (
        platform(folder, flows, web, bus=bus, alone=False) as full,
        platform(folder, flows, web, bus=bus, alone=False) as free,
    ):
        await full.engine.drain(full.app.settings.drain_within)
        yield full, free


def waiting_flow() -> dict:
    """A flow that calls a far side which takes its time."""
    return {
        HOOK: webhook(immediateResponse=True),
        "ask": node("http.Get", {HOOK: "request"}, {"lambda": {"url": "http://far.example/slow"}, "modifiers": {}}),
        "after": set_variables({"ask": "response"}, done="yes"),
    }


class SlowWeb(CountingWeb):
    """A far side that answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def request(self, *given, **more):  # type: ignore[no-untyped-def]
        await self.may_answer.wait()
        return await super().request(*given, **more)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # what is waited for belongs to the product, which has no event for it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("bus", [LocalBus(), DeafBus()], ids=["hinted", "bus away"])
async def test_a_run_that_its_acceptor_cannot_take_is_run_and_answered_by_the_other(tmp_path: Path, bus: Bus) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with two(tmp_path, flows, bus) as (full, free):
        run, answer = await full.send("echo", HOOK, event("ada"), wait=True)

        assert (answer.status, answer.body) == (201, b"ADA")
        assert (await full.rest(run)).run.state is RunState.DONE
        assert (full.counters.settled, free.counters.settled) == (0, 1)


async def test_the_same_event_at_another_executor_gets_the_answer_of_the_one_run(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    bus = LocalBus()
    async with (
        platform(tmp_path, flows, bus=bus, alone=False) as one,
        platform(tmp_path, flows, bus=bus, alone=False) as other,
    ):
        answers = await asyncio.gather(
            *(each.send("echo", HOOK, event("ada"), event_id="e1", wait=True) for each in (one, other, one, other))
        )

        assert {run for run, _ in answers} == {answers[0][0]}
        assert [answer.body for _, answer in answers] == [b"ADA"] * 4
        assert one.counters.settled + other.counters.settled == 1


async def test_a_run_is_cancelled_where_it_is_by_whoever_is_asked(tmp_path: Path) -> None:
    flows, web = HandedFlows(), SlowWeb()
    flows.put("slow", waiting_flow())
    async with two(tmp_path, flows, LocalBus(), web) as (full, free):
        run, _ = await free.send("slow", HOOK, event("ada"))
        await free.until(run, RunState.RUNNING)
        await full.service.cancel_run(None, run, "enough")
        await asyncio.sleep(0.05)
        web.may_answer.set()

        detail = await full.rest(run)
        assert detail.run.state is RunState.CANCELLED
        assert "enough" in detail.run.error
        assert "after" not in [step.node_id for step in detail.steps]


async def test_a_watcher_at_one_executor_sees_what_happens_at_the_other(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with two(tmp_path, flows, LocalBus()) as (_, free):
        bus = LocalBus()
        async with (
            platform(tmp_path, flows, bus=bus, alone=False) as one,
            platform(tmp_path, flows, bus=bus, alone=False) as other,
        ):
            seen: list[dict] = []

            async def watch() -> None:
                async for batch, _ in one.app.watching.watch("echo"):
                    seen.extend(batch)

            watcher = asyncio.create_task(watch())
            async with asyncio.timeout(5):
                await until(lambda: other.app.watching.is_watched("echo"))
                run, _ = await other.send("echo", HOOK, event("ada"), wait=True)
                await until(lambda: len(seen) >= 4)
            watcher.cancel()

            assert {each["runId"] for each in seen} == {run}
            assert not free.app.watching.is_watched("echo")


async def test_what_nobody_understands_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    flows, bus = HandedFlows(), LocalBus()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows, bus=bus) as made:
        await asyncio.sleep(0.05)
        await bus.publish(NEWS, [b"\xff", b"[]", b'{"from": "x"}', b'{"from": "x", "k": "answered"}'])
        await asyncio.sleep(0.01)
        _, answer = await made.send("echo", HOOK, event("ada"), wait=True)

        assert answer.body == b"ADA"
        assert sum("unknown" in each.message for each in caplog.records) == 4
