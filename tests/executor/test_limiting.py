"""Steps under a quota begin when the scheduler grants it, by the rules that the flow manager has, and wait else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headrace.setting.v1 import setting_service_pb2 as setting_pb
from headrace_core.clock import SystemClock
from headrace_core.errors import Unavailable
from headrace_core.manifest import QuotaUse
from headrace_core.quotas import Allowance, QuotaRule, places
from headrace_executor.clients import QuotaClient, ScheduleClient
from headrace_executor.limiting import Limits
from headrace_executor.model import Delivery, Message, RunState
from headrace_runtime.rpc import LocalServer
from headrace_scheduler.app import open_app
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.sqlite import open_store
from headrace_sdk import Component, Context
from headrace_sdk.errors import RateLimitedError

from tests.flow_manager.house import ANN, open_house, scope

from .platform import TENANT, HandedFlows, HandedQuotas, NotedTimers, platform, webhook
from .test_keeping import own_node
from .test_runs import HOOK, event

TWO_IN_A_WHILE = "module.exports = { rules: [{ limit: 2, window: 600, resource: 'requests', scope: 'userId' }] };"


class Calling(Component):
    """Notes when it is let through."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    async def receive(self, context: Context) -> None:
        self.calls.append(time.monotonic())


@dataclass(frozen=True)
class Limited:
    """A component under a quota."""

    component: Any
    type: str = "appmixer.own.test.Own"
    quota: Mapping[str, Any] = field(
        default_factory=lambda: {"manager": "acme:crm", "resources": "requests", "scope": {"userId": "{{userId}}"}}
    )

    @property
    def manifest(self) -> Mapping[str, Any]:
        return {"name": self.type, "inPorts": ["in"], "outPorts": ["out"], "effect": "idempotent", "quota": self.quota}


class Away:
    """A scheduler that is away."""

    async def acquire_quota(
        self, asked: Sequence[Allowance], request_id: str, party: str, learned_names: Sequence[str]
    ) -> timedelta | datetime:
        raise Unavailable("The scheduler is away.")

    async def report_refusal(self, name: str, retry_after: timedelta | None, passed: float) -> None:
        raise Unavailable("The scheduler is away.")


@asynccontextmanager
async def metering(folder: Path) -> AsyncIterator[ScheduleClient]:
    """A scheduler, as executors ask it."""
    server = LocalServer()
    store = await open_store(folder / "scheduler.db")
    try:
        async with open_app(
            store, execution_channel=server.channel(), clock=SystemClock(), settings=SchedulerSettings()
        ) as app:
            app.register(server)
            yield ScheduleClient(server.channel())
    finally:
        await store.close()


def limited_flow() -> HandedFlows:
    flows = HandedFlows()
    flows.put("f", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    return flows


async def test_calls_go_out_as_the_rules_that_an_administrator_put_allow(tmp_path: Path) -> None:
    calling = Calling()
    async with (
        open_house(tmp_path) as house,
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: calling)], quotas=QuotaClient(house.channel)) as made,
    ):
        made.timers.metering = asked
        put = setting_pb.PutQuotaRequest(scope=scope(ANN), name="acme:crm", source=TWO_IN_A_WHILE)
        await house.settings.PutQuota(put)

        began = time.monotonic()
        runs = [(await made.send("f", HOOK, event(str(number))))[0] for number in range(5)]
        details = [await made.rest(run_id) for run_id in runs]

        assert [detail.run.state for detail in details] == [RunState.DONE] * 5
        assert [step.attempts for detail in details for step in detail.steps] == [1] * 10
        assert len(calling.calls) == 5
        assert max(calling.calls) - began >= 2 * 0.6  # two, two, one


class Together(Component):
    """Notes how many of its calls are under way at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    async def receive(self, context: Context) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.05)
        self.now -= 1


async def test_so_many_calls_go_out_at_once_as_there_are_places(tmp_path: Path) -> None:
    quotas, together = HandedQuotas(), Together()
    quotas.known["acme:crm"] = [QuotaRule(2, resources=("requests",)), QuotaRule(100, timedelta(minutes=1))]
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: together)], quotas=quotas) as made,
    ):
        made.timers.metering = asked
        runs = [(await made.send("f", HOOK, event(str(number))))[0] for number in range(5)]
        details = [await made.rest(run_id, within=20) for run_id in runs]
        leases = [await asked.acquire_lock(name, "somebody", timedelta(seconds=5)) for name in places_of(quotas)]

    assert [detail.run.state for detail in details] == [RunState.DONE] * 5
    assert together.most == 2
    assert [lease.acquired for lease in leases] == [True, True]  # whoever was done gave the place back


def places_of(quotas: HandedQuotas) -> list[str]:
    [found] = places("acme:crm", quotas.known["acme:crm"], ["requests"], {})
    return [f"{found.name}/{number}" for number in range(found.limit)]


async def test_what_waits_says_for_which_quota_and_until_when(tmp_path: Path) -> None:
    quotas = HandedQuotas()
    quotas.known["acme:crm"] = [QuotaRule(1, timedelta(hours=1))]
    calling = Calling()
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: calling)], quotas=quotas) as made,
    ):
        made.timers.metering = asked
        first, _ = await made.send("f", HOOK, event("ada"))
        await made.rest(first)
        second, _ = await made.send("f", HOOK, event("grace"))
        detail = await made.until(second, RunState.WAITING)

        [(delivery, parked)] = detail.waits
        assert (delivery.node, parked.kind) == ("own", "quota")
        assert "acme:crm" in parked.reason
        assert parked.due is not None and detail.run.due == parked.due.timestamp()
        assert len(calling.calls) == 1


async def test_a_scheduler_that_is_away_lets_limited_steps_wait_and_no_others(tmp_path: Path) -> None:
    quotas = HandedQuotas()
    quotas.known["acme:crm"] = [QuotaRule(1, timedelta(seconds=1))]
    away: Any = Away()
    async with platform(tmp_path, limited_flow(), own=[Limited(Calling)], quotas=quotas) as made:
        made.timers.metering = away
        run_id, _ = await made.send("f", HOOK, event("ada"))
        detail = await made.until(run_id, RunState.WAITING)

        [(_, parked)] = detail.waits
        assert parked.kind == "quota" and "The scheduler is away." in parked.reason
        assert [step.node_id for step in detail.steps] == [HOOK]


async def test_a_quota_without_rules_limits_nothing(tmp_path: Path) -> None:
    quotas = HandedQuotas()
    quotas.known["acme:crm"] = [QuotaRule(1, timedelta(hours=1), ("uploads",)), QuotaRule(1, resources=("uploads",))]
    for own in (Limited(Calling), Limited(Calling, quota={"manager": "acme:unknown"}), Limited(Calling, quota={})):
        async with platform(tmp_path, limited_flow(), own=[own], quotas=quotas) as made:
            for name in ("ada", "grace"):
                run_id, _ = await made.send("f", HOOK, event(name))
                assert (await made.rest(run_id)).run.state is RunState.DONE


async def test_a_try_that_was_counted_is_not_counted_again_and_the_next_one_is(tmp_path: Path) -> None:
    quotas = HandedQuotas()
    quotas.known["m:m"] = [QuotaRule(1, timedelta(hours=1), scope=("userId",))]
    use = QuotaUse("m:m", scope={"userId": "{{userId}}"})
    timers = NotedTimers()
    neighbours: Any = SimpleNamespace(quotas=quotas, schedules=timers)  # nobody else is asked
    limits = Limits(neighbours, SystemClock(), timedelta(minutes=1))

    node: Any = SimpleNamespace(id="n", is_pure=False, manifest=SimpleNamespace(quota=use))

    def run(tenant: str) -> Any:
        return SimpleNamespace(tenant_id=tenant, flow_id="f")

    async with metering(tmp_path) as asked:
        timers.metering = asked
        first = Delivery("d1", Message("m", "", "in", None), "n", "in")
        other = Delivery("d2", Message("m", "", "in", None), "n", "in")

        assert await limits.wait_for(node, run(TENANT), first, "") is None
        assert await limits.wait_for(node, run(TENANT), first, "") is None
        assert await limits.wait_for(node, run(TENANT), other, "") is not None
        assert await limits.wait_for(node, run("b" * 24), other, "") is None
        first.attempts = 1
        assert await limits.wait_for(node, run(TENANT), first, "") is not None


class Crowded(Component):
    """An API that lets so many calls through a second, and says 429 to the rest."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.calls: list[float] = []
        self.refused = 0

    async def receive(self, context: Context) -> None:
        now = time.monotonic()
        if sum(at > now - 1 for at in self.calls) >= self.allowed:
            self.refused += 1
            raise RateLimitedError("Too many requests.", retry_after=timedelta(seconds=1))
        self.calls.append(now)


async def test_what_a_service_refuses_as_too_many_is_spread_and_fails_nobody(tmp_path: Path) -> None:
    crowded = Crowded(20)
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: crowded, quota={})]) as made,
    ):
        made.timers.metering = asked
        runs = [(await made.send("f", HOOK, event(str(number))))[0] for number in range(100)]
        details = [await made.rest(run_id, within=40) for run_id in runs]

    own = [step for detail in details for step in detail.steps if step.node_id == "own"]
    assert len(crowded.calls) == len(own) == 100
    assert {(step.outcome, step.attempts) for step in own} == {("done", 1)}, "a refusal is no failure of the message"
    assert crowded.refused < 100, "who waits does not knock"


async def test_what_waits_for_its_turn_says_so(tmp_path: Path) -> None:
    full = Crowded(0)
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: full, quota={})]) as made,
    ):
        made.timers.metering = asked
        run_id, _ = await made.send("f", HOOK, event("ada"))
        detail = await made.until(run_id, RunState.WAITING)

    [(delivery, parked)] = detail.waits
    assert (delivery.node, delivery.attempts, parked.kind) == ("own", 0, "quota")
    assert "Too many requests." in parked.reason and parked.due is not None


async def test_a_node_that_is_never_tried_again_gives_up_at_the_first_refusal(tmp_path: Path) -> None:
    flows = HandedFlows()
    own = own_node()
    own["errorHandling"] = {"autoRetry": False}
    flows.put("f", {HOOK: webhook(immediateResponse=True), "own": own})
    full = Crowded(0)
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, flows, own=[Limited(lambda: full, quota={})]) as made,
    ):
        made.timers.metering = asked
        run_id, _ = await made.send("f", HOOK, event("ada"))
        detail = await made.rest(run_id)

    assert [step.outcome for step in detail.steps if step.node_id == "own"] == ["failed"]


async def test_a_scheduler_that_is_away_leaves_refusals_to_be_tried_again_like_failures(tmp_path: Path) -> None:
    away: Any = Away()
    full = Crowded(0)
    async with platform(tmp_path, limited_flow(), own=[Limited(lambda: full, quota={})]) as made:
        made.timers.metering = away
        run_id, _ = await made.send("f", HOOK, event("ada"))
        detail = await made.until(run_id, RunState.WAITING)

    [(delivery, parked)] = detail.waits
    assert (delivery.attempts, parked.kind) == (1, "retry")


async def test_a_refusal_under_a_rule_makes_a_pause_and_no_other_limit(tmp_path: Path) -> None:
    quotas, crowded = HandedQuotas(), Crowded(10)
    quotas.known["acme:crm"] = [QuotaRule(20, timedelta(seconds=1))]  # twice what the service allows
    async with (
        metering(tmp_path) as asked,
        platform(tmp_path, limited_flow(), own=[Limited(lambda: crowded)], quotas=quotas) as made,
    ):
        made.timers.metering = asked
        runs = [(await made.send("f", HOOK, event(str(number))))[0] for number in range(25)]
        details = [await made.rest(run_id, within=20) for run_id in runs]

    assert [detail.run.state for detail in details] == [RunState.DONE] * 25
    assert crowded.refused > 0 and max(crowded.calls) - min(crowded.calls) < 8
