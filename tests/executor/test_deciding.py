"""A person says what is true of a step in doubt: once, on record, and its run goes on from there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import BadRequest, Conflict, NotFound
from headrace_executor.deciding import Said
from headrace_executor.journal import Progress, StepResult
from headrace_executor.model import Decision, Delivery, Message, RunState
from headrace_executor.retry import CutShort
from headrace_executor.service import RunDetail
from headrace_executor.store import EVERY_ONE
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, Platform, platform, set_variables, webhook
from .test_journal import start

CALLS: list[str] = []


class Doubtful(Component):
    """Its first call sends one message and is cut short: nobody knows how far it came."""

    async def receive(self, context: Context) -> None:
        CALLS.append(context.idempotency_key)
        if len(CALLS) == 1:
            raise CutShort("Its process ended.")
        await context.send_json({"name": "by itself"}, "out")


class Unsafe(OwnComponent):
    @property
    def manifest(self) -> Mapping[str, Any]:
        return {**super().manifest, "effect": "unsafe"}


OWN = [Unsafe(Doubtful)]


def flows() -> HandedFlows:
    handed = HandedFlows()
    own = {"type": OWN[0].type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
    handed.put("f1", {"hook": webhook(), "own": own, "set": set_variables({"own": "out"}, name="$.own.out.name")})
    return handed


async def in_doubt(here: Platform) -> tuple[str, str]:
    CALLS.clear()
    run_id, _ = await here.send("f1", "hook", {"method": "POST"})
    detail = await here.rest(run_id)
    [message], _ = await here.service.list_unprocessed(TENANT, "", "", 0, 10)
    assert detail.run.state is RunState.FAILED
    assert b"in_doubt" in message.error
    return run_id, message.message_id


async def test_a_retry_of_many_leaves_what_is_in_doubt_for_a_decision(tmp_path: Path) -> None:
    async with platform(tmp_path, flows(), own=OWN) as here:
        run_id, message_id = await in_doubt(here)
        every = await here.service.settle_unprocessed(TENANT, "", EVERY_ONE, 10)
        named = await here.service.settle_unprocessed(TENANT, "", EVERY_ONE, 10, message_ids=[message_id])
        once = len(CALLS)
        asked_for = await here.service.settle_unprocessed(TENANT, "", EVERY_ONE, 10, in_doubt_too=True)
        await here.rest(run_id)

    assert (every, named, once) == ((0, 0, 1), (0, 0, 1), 1)
    assert (asked_for, len(CALLS)) == ((1, 0, 0), 2)


def reached(detail: RunDetail) -> list[Any]:
    return [content for step in detail.steps if step.node_id == "set" for _, _, content in step.outputs]


@pytest.mark.parametrize(
    ("said", "state", "outcome", "calls", "after"),
    [
        (Said("happened", {"out": [{"name": "a"}, {"name": "b"}]}, "ann"), RunState.DONE, "done", 1, ["a", "b"]),
        (Said("happened", {}, "ann"), RunState.DONE, "done", 1, []),
        (Said("skip", {}, "ann"), RunState.DONE, "skipped", 1, []),
        (Said("retry", {}, "ann"), RunState.DONE, "done", 2, ["by itself"]),
    ],
)
async def test_a_run_goes_on_with_what_a_person_decided(
    tmp_path: Path, said: Said, state: RunState, outcome: str, calls: int, after: list[str]
) -> None:
    async with platform(tmp_path, flows(), own=OWN) as here:
        run_id, step_id = await in_doubt(here)

        await here.service.decide_step(TENANT, run_id, step_id, said)
        detail = await here.rest(run_id)

        [_, last] = [step for step in detail.steps if step.node_id == "own"]
        assert (detail.run.state, last.outcome, len(CALLS)) == (state, outcome, calls)
        assert len(set(CALLS)) == 1
        assert [each["name"] for each in reached(detail)] == after
        assert last.decision is not None
        assert (last.decision.verdict, last.decision.by) == (said.verdict, "ann")
        with pytest.raises(Conflict, match="User ann decided"):
            await here.service.decide_step(TENANT, run_id, step_id, Said("retry", {}, "bob"))


async def test_of_two_who_decide_at_once_one_is_told_that_he_came_late(tmp_path: Path) -> None:
    async with platform(tmp_path, flows(), own=OWN) as here:
        run_id, step_id = await in_doubt(here)
        said = [Said("happened", {"out": [{"name": who}]}, who) for who in ("ann", "bob", "cid")]

        outcomes = await asyncio.gather(
            *(here.service.decide_step(TENANT, run_id, step_id, each) for each in said), return_exceptions=True
        )
        detail = await here.rest(run_id)

        [winner] = [each.by for each, outcome in zip(said, outcomes, strict=True) if outcome is None]
        assert sum(isinstance(each, Conflict) for each in outcomes) == 2
        assert [each["name"] for each in reached(detail)] == [winner]


async def test_what_cannot_be_decided_is_refused(tmp_path: Path) -> None:
    async with platform(tmp_path, flows(), own=OWN) as here:
        run_id, step_id = await in_doubt(here)
        decide = here.service.decide_step

        for said, words in [
            (Said("happened", {"no": [1]}, "ann"), "has no out-port 'no'. It has: out"),
            (Said("happened", {"out": 1}, "ann"), "Give a list"),
            (Said("skip", {"out": [1]}, "ann"), "Leave `outputs` out"),
            (Said("perhaps", {}, "ann"), "is no verdict"),
        ]:
            with pytest.raises(BadRequest, match=words):
                await decide(TENANT, run_id, step_id, said)
        for tenant, run, step in [("b" * 24, run_id, step_id), (TENANT, "no", step_id), (TENANT, run_id, "no")]:
            with pytest.raises(NotFound):
                await decide(tenant, run, step, Said("skip", {}, "ann"))


async def test_a_decision_outlives_the_executor_that_took_it(tmp_path: Path) -> None:
    async with platform(tmp_path, flows(), own=OWN) as here:
        run_id, step_id = await in_doubt(here)
        here.engine.nudge = lambda: None  # type: ignore[method-assign]  # it ends before its run goes on
        await here.service.decide_step(TENANT, run_id, step_id, Said("happened", {"out": [{"name": "a"}]}, "ann"))

    async with platform(tmp_path, flows(), own=OWN) as again:
        detail = await again.rest(run_id)
        while detail.run.state is not RunState.DONE:
            detail = await again.rest(run_id)

        assert [each["name"] for each in reached(detail)] == ["a"]
        assert len(CALLS) == 1


def test_a_decision_that_arrives_twice_counts_once_also_after_a_crash() -> None:
    """The records, cut off after each: a second arrival of the same decision never sends anything again."""
    said = Decision("d1", "happened", "ann", 1.0, (("out", 1),))
    failed = StepResult("failed", 1, 0.0, 0.0, error={"code": "in_doubt"})

    def decide(progress: Progress) -> list[Delivery]:
        found = progress.arrive("run", None, None, decision=said)
        return [] if found is None else progress.finish(found, StepResult("done", 0, 1.0, 1.0, None, [*said.outputs]))

    whole = start({"n0": [], "n1": ["n0"]}, set())
    whole.replay([])
    whole.finish(whole.ready.popleft(), failed)
    chunks = [whole.take_records()]
    [sent] = decide(whole)
    chunks.append(whole.take_records())

    before, after = (start({"n0": [], "n1": ["n0"]}, set()) for _ in range(2))
    before.replay(chunks[:1])
    after.replay(chunks)
    again = decide(before)

    assert [each.id for each in again] == [sent.id] == [each.id for each in after.ready]
    assert decide(after) == decide(before) == []
    assert not after.has_records
    assert isinstance(sent.message, Message)
    assert sent.message.content == 1
