"""A run walks its flow once, survives what happens to its executor, and says what it waits for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from headrace_core.errors import BadRequest, HeadraceError, Unavailable
from headrace_executor.model import RunState, Unprocessed
from headrace_executor.ports import WebAnswer
from headrace_sdk import Component, Context

from tests.chaos.store import opened

from .platform import TENANT, CountingWeb, HandedFlows, OwnComponent, Platform, node, platform, set_variables, webhook

HOOK = "hook"


def echo_flow() -> dict:
    return {
        HOOK: webhook(),
        "set": set_variables({HOOK: "request"}, name="$.hook.request.data.name", fixed="yes"),
        "reply": node(
            "http.Response",
            {"set": "out"},
            {
                "modifiers": {"body": {"b": {"variable": "$.set.out.name", "functions": [{"name": "g_uppercase"}]}}},
                "lambda": {"body": "{{{b}}}", "statusCode": 201},
            },
        ),
    }


def event(name: str) -> dict:
    return {"method": "POST", "data": {"name": name}, "query": {}, "headers": {}, "hostname": "x", "path": ""}


async def test_a_webhook_is_transformed_and_answered_by_the_flow(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows) as made:
        run, answer = await made.send("echo", HOOK, event("ada"), wait=True)

        assert (answer.status, answer.body) == (201, b"ADA")
        detail = await made.rest(run)
        assert detail.run.state is RunState.DONE
        assert [step.node_id for step in detail.steps] == [HOOK, "set", "reply"]
        assert detail.steps[1].outputs[0][2] == {"name": "ada", "fixed": "yes"}


async def test_a_caller_who_leaves_while_his_event_is_written_leaves_a_run_that_runs(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows) as made:
        await made.send("echo", HOOK, event("ada"), wait=True)  # its plan is known from now on
        with opened(tmp_path / "executor.db") as disk:
            disk.execute("BEGIN IMMEDIATE")
            call = asyncio.create_task(made.send("echo", HOOK, event("eve"), event_id="e1", wait=True))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            disk.execute("ROLLBACK")

        run, _ = await made.send("echo", HOOK, event("eve"), event_id="e1")
        assert made.counters.duplicates == 1
        assert (await made.rest(run)).run.state is RunState.DONE


async def test_the_same_event_twice_is_one_run_with_one_answer(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows) as made:
        first, answer = await made.send("echo", HOOK, event("ada"), event_id="e1", wait=True)
        await made.rest(first)
        second, again = await made.send("echo", HOOK, event("bob"), event_id="e1", wait=True)

        assert first == second
        assert again.body == answer.body == b"ADA"
        assert made.counters.duplicates == 1


async def test_a_stopped_flow_refuses_events(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow(), is_active=False)
    async with platform(tmp_path, flows) as made:
        with pytest.raises(HeadraceError, match="running flow"):
            await made.send("echo", HOOK, event("ada"))


async def test_a_wrong_node_is_named_with_what_to_do(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows) as made:
        with pytest.raises(HeadraceError, match="GET /flows/:id"):
            await made.send("echo", "nobody", event("ada"))


async def test_a_run_left_by_a_dead_executor_is_finished_by_the_next(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("echo", echo_flow())
    async with platform(tmp_path, flows) as made:
        made.engine.take = lambda run: None  # type: ignore[method-assign]  # it dies before a worker has the run
        run, _ = await made.send("echo", HOOK, event("ada"))
        made.store.retire = _forget  # type: ignore[method-assign]  # nor does it give anything back

    async with platform(tmp_path, flows) as again:
        detail = await again.rest(run)
        assert detail.run.state is RunState.DONE
        assert detail.run.epoch == 2


async def _forget(owner: str, now: float) -> None:
    return None


async def test_a_late_twin_is_refused(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("slow", {HOOK: webhook(), "wait": node("timers.Wait", {HOOK: "request"}, {"lambda": {"interval": "5m"}})})
    async with platform(tmp_path, flows) as made:
        run, _ = await made.send("slow", HOOK, event("ada"))
        detail = await made.until(run, RunState.WAITING)
        old = detail.run
        claimed = await made.store.claim("somebody else", (old.due or 0) + 1, 10)
        assert [each.run.run_id for each in claimed] == [run]
        assert claimed[0].run.epoch == old.epoch + 1
        assert [wait.kind for _, wait in detail.waits] == ["timeout"]


async def test_a_failing_call_is_tried_again_with_the_same_key_and_then_succeeds(tmp_path: Path) -> None:
    flows, web = HandedFlows(), CountingWeb()
    flows.put(
        "call",
        {HOOK: webhook(), "post": node("http.Post", {HOOK: "request"}, {"lambda": {"url": "https://far.example/x"}})},
    )
    web.answers = [WebAnswer(503, [], b"busy", ""), WebAnswer(200, [], b"{}", "")]
    async with platform(tmp_path, flows, web) as made:
        run, _ = await made.send("call", HOOK, event("ada"))
        detail = await made.rest(run)

        assert detail.run.state is RunState.DONE
        assert len(web.calls) == 2
        assert web.calls[0][2] == web.calls[1][2] != ""


async def test_a_refused_call_goes_to_the_unprocessed_messages_and_can_be_retried(tmp_path: Path) -> None:
    flows, web = HandedFlows(), CountingWeb()
    flows.put(
        "call",
        {
            HOOK: webhook(),
            "put": node("controls.Each", {HOOK: "request"}, {"lambda": {}}),
        },
    )
    async with platform(tmp_path, flows, web) as made:
        run, _ = await made.send("call", HOOK, event("ada"))
        detail = await made.rest(run)
        assert detail.run.state is RunState.FAILED
        messages, total = await made.service.list_unprocessed(detail.run.tenant_id, "call", "", 0, 10)
        assert total == 1
        assert b"GRID_ERR_VAL_PORTS" in messages[0].error
        assert await made.service.retry_unprocessed("b" * 24, [messages[0].message_id]) == 0

        assert await made.service.retry_unprocessed(detail.run.tenant_id, [messages[0].message_id]) == 1
        await made.until(run, RunState.FAILED)


async def until_given_up(made: Platform, flow_id: str, after: float) -> Unprocessed:
    """The flow's message once it was given up again."""
    async with asyncio.timeout(10):
        while True:
            found, _ = await made.service.list_unprocessed(TENANT, flow_id, "", 0, 10)
            if found and found[0].created > after:
                return found[0]
            await asyncio.sleep(0.01)


async def test_a_message_goes_on_with_what_a_person_made_of_it(tmp_path: Path) -> None:
    flows = HandedFlows()
    name = {"variable": "$.hook.request.data.name", "functions": []}
    filled = {"modifiers": {"list": {"v": name}}, "lambda": {"list": "{{{v}}}"}}
    flows.put("edit", {HOOK: webhook(), "each": node("controls.Each", {HOOK: "request"}, filled)})
    async with platform(tmp_path, flows) as made:
        run, _ = await made.send("edit", HOOK, {**event(""), "data": {"name": 5}})
        await made.until(run, RunState.FAILED)
        [message], _ = await made.service.list_unprocessed(TENANT, "edit", "", 0, 10)
        shown = orjson.loads(message.messages)
        assert shown["in"][0]["content"] == {"list": 5}, "what was refused is shown"

        with pytest.raises(BadRequest, match="only at: in"):
            await made.service.retry_edited(TENANT, message.message_id, {"out": [{"content": {}}]})
        assert await made.service.retry_edited("b" * 24, message.message_id, {}) == 0
        assert await made.service.retry_edited(TENANT, message.message_id, {"in": [{"content": {"list": 6}}]}) == 1
        refused = await until_given_up(made, "edit", message.created)
        assert orjson.loads(refused.messages)["in"][0]["content"] == {"list": 6}, "an edit is checked like any input"

        assert await made.service.retry_edited(TENANT, message.message_id, {"in": [{"content": {"list": [7]}}]}) == 1
        detail = await made.until(run, RunState.DONE)
        assert detail.steps[-1].input == {"list": [7]}
        assert [content["value"] for _, port, content in detail.steps[-1].outputs if port == "item"] == [7]


async def test_branches_join_and_a_branch_that_says_nothing_does_not_hang_the_join(tmp_path: Path) -> None:
    expression = {"expression": {"AND": [{"OR": [{"input": "{{{n}}}", "operator": "=", "value": "1"}]}]}}
    flows = HandedFlows()
    flows.put(
        "branch",
        {
            HOOK: webhook(),
            "if": node(
                "controls.Condition",
                {HOOK: "request"},
                {
                    "modifiers": {"expression": {"n": {"variable": "$.hook.request.data.name", "functions": []}}},
                    "lambda": expression,
                },
            ),
            "yes": set_variables({"if": "true"}, branch="yes"),
            "no": set_variables({"if": "false"}, branch="no"),
            "join": node("controls.Join", {"yes": "out", "no": "out"}),
            "reply": node("http.Response", {"join": "out"}, {"lambda": {"body": "joined"}}),
        },
    )
    async with platform(tmp_path, flows) as made:
        _, answer = await made.send("branch", HOOK, event("1"), wait=True)
        assert answer.body == b"joined"


async def test_each_item_goes_its_own_way_and_all_come_home(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put(
        "each",
        {
            HOOK: webhook(),
            "each": node(
                "controls.Each",
                {HOOK: "request"},
                {
                    "modifiers": {"list": {"l": {"variable": "$.hook.request.data.name", "functions": []}}},
                    "lambda": {"list": "{{{l}}}"},
                },
            ),
            "item": set_variables({"each": "item"}, value="$.each.item.value"),
        },
    )
    async with platform(tmp_path, flows) as made:
        run, _ = await made.send("each", HOOK, event(list(range(1000))))  # type: ignore[arg-type]  # any JSON
        detail = await made.rest(run)
        assert detail.run.state is RunState.DONE
        values = [step.outputs[0][2]["value"] for step in detail.steps if step.node_id == "item"]
        assert values == [str(n) for n in range(1000)] or values == list(range(1000))


async def test_steps_of_one_node_that_are_under_way_together_share_what_it_remembers(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put(
        "count",
        {
            HOOK: webhook(),
            "each": node(
                "controls.Each",
                {HOOK: "request"},
                {
                    "modifiers": {"list": {"l": {"variable": "$.hook.request.data.name", "functions": []}}},
                    "lambda": {"list": "{{{l}}}"},
                },
            ),
            "count": node("test.CallCount", {"each": "item"}, {"lambda": {"callCount": 50}}),
            "end": set_variables({"count": "out"}, all="$.count.out"),
        },
    )
    async with platform(tmp_path, flows) as made:
        run, _ = await made.send("count", HOOK, event(list(range(50))))  # type: ignore[arg-type]  # any JSON
        detail = await made.rest(run)

        [end] = [step for step in detail.steps if step.node_id == "end"]
        assert sorted(item["index"] for item in end.outputs[0][2]["all"]) == list(range(50))


class Stuck(Component):
    """Fails for now, when it is let go."""

    def __init__(self) -> None:
        self.is_called, self.may_go = asyncio.Event(), asyncio.Event()

    async def receive(self, context: Context) -> None:
        self.is_called.set()
        await self.may_go.wait()
        raise Unavailable("Not now.")


async def test_a_run_that_is_cancelled_during_its_last_step_does_not_wait_for_the_next_try(tmp_path: Path) -> None:
    flows, stuck = HandedFlows(), Stuck()
    own = {"type": "appmixer.own.test.Own", "x": 0, "y": 0, "source": {"in": {HOOK: ["request"]}}, "config": {}}
    flows.put("f", {HOOK: webhook(), "own": own})
    async with platform(tmp_path, flows, own=[OwnComponent(lambda: stuck)], retry_first=timedelta(hours=1)) as made:
        run, _ = await made.send("f", HOOK, event("ada"))
        await stuck.is_called.wait()
        await made.service.cancel_run(TENANT, run, "enough")
        stuck.may_go.set()

        assert (await made.rest(run)).run.state is RunState.CANCELLED
