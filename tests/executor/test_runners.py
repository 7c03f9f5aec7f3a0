"""Published components run in processes of their own, and do there all that built-in ones do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import BadRequest, Unsupported, ValidationFailed
from headrace_executor.context import MemoryOfNode, StepContext
from headrace_executor.model import Delivery, Message, RunState
from headrace_executor.ports import PublishedComponent
from headrace_executor.runners.pool import Key
from headrace_executor.service import RunDetail
from headrace_executor.settings import RunnerSettings
from headrace_executor.store import RunFilter
from headrace_runtime.failures import ForeignError

from tests.listening import listening

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService, MemoryTaskService
from .platform import TENANT, HandedFlows, OwnComponent, Platform, Rooms, platform, webhook
from .published import Shelf, component_of

QUICK = RunnerSettings(
    most=4, hang_after=timedelta(seconds=5), cancel_within=timedelta(seconds=1), start_within=timedelta(seconds=60)
)

WORKER = """
    import os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            await context.send_json({"pid": os.getpid(), "version": 1})
    """

EVERYTHING = '''
    from datetime import UTC, datetime, timedelta
    from headrace_sdk import CancelError, Component, Condition, Context

    class Own(Component):
        """Uses every member of the context, and sends what it saw."""

        async def receive(self, context: Context) -> None:
            seen = {
                "who": [
                    context.tenant_id, context.flow_id, context.flow_name, context.node_id, context.component_type,
                    context.label, context.attempt, context.port,
                ],
                "ids": [context.run_id, context.correlation_id, context.step_id, context.idempotency_key],
                "content": context.content,
                "messages": [
                    [port, each.content, each.node_id, each.port, each.correlation_id]
                    for port, arrived in context.messages.items()
                    for each in arrived
                ],
                "properties": dict(context.properties),
                "nodes": sorted(context.flow_descriptor),
                "fields": context.custom_fields,
                "hooks": [context.webhook_url(), context.webhook_url("other")],
            }
            for name in ("state", "flow_state", "service_state", "run_state"):
                state = getattr(context, name)
                await state.set("a", [1, {"ä": None}])
                await state.set("gone", 1)
                await state.unset("gone")
                seen[name] = [
                    await state.get("a"), await state.get("none", "absent"), await state.get("gone", "absent"),
                    await state.inc("count", 2), await state.inc("count"), await state.add_to_set("set", "x"),
                    await state.add_to_set("set", "y"), await state.remove_from_set("set", "x"), await state.all(),
                ]
            store = await context.store.create_store("people")
            store_id = store["storeId"]
            await context.store.set(store_id, "ada", {"age": 36})
            await context.store.set(store_id, "bob", {"age": 20})
            found = await context.store.find(store_id, query=[Condition("value.age", "greater", 30)])
            seen["store"] = [
                [each["key"] for each in found],
                (await context.store.set(store_id, "ada", 1))["oldValue"],
                (await context.store.get(store_id, "bob"))["value"],
                await context.store.get(store_id, "eve"),
                await context.store.remove(store_id, "ada"),
                await context.store.clear(store_id),
                [each["name"] for each in await context.store.list_stores()],
            ]
            await context.store.listen(store_id, ["insert"])
            await context.store.unlisten(store_id)
            file = await context.files.save("a.bin", bytes(range(256)), "application/x-a")
            await context.files.replace(file.file_id, b"other")
            info = await context.files.info(file.file_id)
            seen["files"] = [info.filename, info.size_bytes, info.content_type, info.sha256]
            seen["loaded"] = (await context.files.load(file.file_id)).decode()
            await context.files.remove(file.file_id)
            async def pieces():
                for number in range(5):
                    yield bytes([number]) * 600_000
            large = await context.files.save("large.bin", pieces(), "application/x-b")
            sizes, begins = [], []
            async for piece in context.files.stream(large.file_id):
                sizes.append(len(piece))
                begins.append(piece[0])
            seen["streamed"] = [large.size_bytes, large.sha256, sizes, begins]
            context.cache.set("dear", {"a": [1]})
            context.cache.set("short", 1, timedelta(0))
            seen["cached"] = [context.cache.get("dear"), context.cache.get("short"), context.cache.get("none", "no")]
            context.cache.remove("dear")
            seen["cached"].append(context.cache.get("dear"))
            for name, attempt in {
                "no file": context.files.load("nothing"), "no store": context.store.get("nothing", "a"),
                "taken": context.store.create_store("people"),
            }.items():
                try:
                    seen[name] = await attempt
                except CancelError as error:
                    seen[name] = str(error)
            asked = {"title": "Pay?", "approver": "a@b", "requester": "c@d"}
            task = await context.tasks.create(asked)
            task_id, secret = task["taskId"], task["approverSecret"]
            await context.tasks.mail(task_id, "https://here.example/")
            decided = await context.tasks.decide(task_id, secret, approves=False)
            seen["tasks"] = [
                task["title"], (await context.tasks.get(task_id))["status"], decided["status"], decided["isApprover"],
            ]
            try:
                await context.tasks.get(task_id, "made up")
            except CancelError as error:
                seen["no task"] = str(error).partition(" '")[0]
            await context.wake("unknown.timeout", {"a": 1})
            async with context.lock("door") as lock:
                await lock.extend(timedelta(seconds=5))
            kept = await context.set_timeout({"later": True}, timedelta(hours=1))
            await context.clear_timeout(await context.set_timeout({}, timedelta(hours=2)))
            seen["timeout"] = kept
            context.log({"said": "so"}, "warning")
            context.log("plainly")
            await context.response({"ok": True}, 201, {"X-Mine": "yes"})
            await context.send_array([1, 2.5])
            await context.send_json(seen)
    '''


def flow_of(published: PublishedComponent, **config: Any) -> dict[str, Any]:
    """webhook → the published component."""
    own = {"type": published.type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": config}
    return {"hook": webhook(), "own": own}


def put(flows: HandedFlows, published: PublishedComponent, flow_id: str = "f1", **more: Any) -> None:
    flows.put(flow_id, flow_of(published), components=[published], **more)


async def run(here: Platform, flow_id: str = "f1", content: Any = None) -> RunDetail:
    run_id, _ = await here.send(flow_id, "hook", {"method": "POST", "data": content})
    return await here.rest(run_id, within=30)


def sent(detail: RunDetail, node: str = "own") -> list[Any]:
    return [content for step in detail.steps if step.node_id == node for _, _, content in step.outputs]


async def test_a_component_sees_and_does_in_a_runner_what_it_sees_and_does_in_the_executor(tmp_path: Path) -> None:
    """The same code, the same event: once built in, once published. What differs is where it runs."""
    seen: list[list[Any]] = []
    for number, is_published in enumerate([False, True]):
        shelf, flows = Shelf(), HandedFlows()
        published = shelf.publish(EVERYTHING)
        flows.put("f1", flow_of(published, properties={"color": "red"}), components=[published] if is_published else [])
        folder = tmp_path / str(number)
        folder.mkdir()
        own = [] if is_published else [OwnComponent(component_of(folder, EVERYTHING), published.type)]
        rooms = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore(), tasks=MemoryTaskService())
        async with platform(folder, flows, own=own, shelf=shelf, runners=QUICK, rooms=rooms) as here:
            run_id, _ = await here.send("f1", "hook", {"method": "POST", "data": "é"}, event_id="same")
            detail = await here.until(run_id, RunState.WAITING, within=30)  # its timeout is an hour away
            assert bool(here.app.runners.pids) is is_published
        [step] = [each for each in detail.steps if each.node_id == "own"]
        assert step.outcome == "done", step.error
        seen.append([step.outputs, step.response, list(step.logs), len(detail.waits)])

    (here_outputs, *here_rest), (there_outputs, *there_rest) = seen
    assert there_rest == here_rest
    assert without_drawn_ids(there_outputs) == without_drawn_ids(here_outputs)


def without_drawn_ids(outputs: list[Any]) -> list[Any]:
    """The id of a timeout is drawn from a counter that counts questions in a runner and ids in the executor."""
    [*first, (message, port, seen)] = outputs
    assert seen["timeout"].startswith(seen["ids"][0])
    return [*first, (message, port, {**seen, "timeout": ""})]


@pytest.mark.parametrize(
    "raised",
    [
        'CancelError("No.", {"why": ["so"]})',
        'TransientError("Soon.")',
        "RateLimitedError(retry_after=timedelta(milliseconds=30))",
        'HttpStatusError(503, "Down.")',
        "HttpStatusError(404)",
        'ConnectionExpired("acme")',
        'LockUnavailable("door")',
        'ComponentError("Odd.")',
        'ValueError("not a number")',
        'TimeoutError("late")',
        'ConnectionError("gone")',
    ],
)
async def test_an_error_means_the_same_wherever_it_is_raised(tmp_path: Path, raised: str) -> None:
    code = f"""
    from datetime import UTC, datetime, timedelta
    from headrace_sdk import *

    class Own(Component):
        async def receive(self, context: Context) -> None:
            raise {raised}
    """
    seen = []
    for number, is_published in enumerate([False, True]):
        shelf, flows = Shelf(), HandedFlows()
        published = shelf.publish(code)
        flows.put("f1", flow_of(published), components=[published] if is_published else [])
        folder = tmp_path / str(number)
        folder.mkdir()
        own = [] if is_published else [OwnComponent(component_of(folder, code), published.type)]
        async with platform(folder, flows, own=own, shelf=shelf, runners=QUICK, retry_count=1) as here:
            detail = await run(here)
        steps = [step for step in detail.steps if step.node_id == "own"]
        seen.append((detail.run.state, [(step.outcome, step.attempts, step.error) for step in steps]))

    assert seen[0] == seen[1]


async def test_calls_that_come_together_end_each_in_its_own_way_and_time(tmp_path: Path) -> None:
    """They go to the process in one message, and that is all they share."""
    shelf, flows = Shelf(), HandedFlows()
    code = """
        import asyncio
        from headrace_sdk import CancelError, Component, Context

        class Own(Component):
            async def receive(self, context: Context) -> None:
                word = context.content["data"]
                if word == "bad":
                    raise CancelError("No.")
                if word == "slow":
                    await asyncio.sleep(2)
                if word == "endless":
                    await asyncio.sleep(600)
                await context.send_json(word)
        """
    put(flows, shelf.publish(code))
    words = ["slow", "endless", *["fine"] * 20, "bad", *["fine"] * 20]
    async with platform(
        tmp_path, flows, shelf=shelf, runners=QUICK, workers=64, retry_count=0, receive_timeout=timedelta(seconds=4)
    ) as here:
        await run(here, content="warm")
        ids = [(word, (await here.send("f1", "hook", {"method": "POST", "data": word}))[0]) for word in words]
        ended = [(word, await here.rest(run_id, within=30)) for word, run_id in ids]
        again = await run(here, content="fine")

    took = {word: [each.run.updated - each.run.created for known, each in ended if known == word] for word in words}
    states = {word: {each.run.state for known, each in ended if known == word} for word in words}
    assert states == {
        "slow": {RunState.DONE}, "endless": {RunState.FAILED}, "fine": {RunState.DONE}, "bad": {RunState.DONE},
    }  # fmt: skip
    assert [sent(each) for word, each in ended if word == "fine"] == [["fine"]] * 40
    assert max(took["fine"]) < 2 <= min(took["slow"]) and min(took["endless"]) >= 4
    assert sent(again) == ["fine"]


async def test_many_messages_leave_before_the_component_returns(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(
        flows,
        shelf.publish(
            """
            from headrace_sdk import Component, Context

            class Own(Component):
                async def receive(self, context: Context) -> None:
                    for number in range(1000):
                        await context.send_json(number)
            """
        ),
    )

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        detail = await run(here)

    assert detail.run.state is RunState.DONE
    assert sent(detail) == list(range(1000))


async def test_modules_of_a_bundle_reach_each_other_and_two_bundles_do_not_mix(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    for word in ("red", "blue"):
        root = "acme/own/core/Own"
        bundle_id = shelf.put(
            {
                "acme/own/words.py": f"WORD = {word!r}\n",
                f"{root}/own_part.py": "from ...words import WORD\n",
                f"{root}/component.py": (
                    "from headrace_sdk import Component, Context\n"
                    "from .own_part import WORD\n"
                    "class Own(Component):\n"
                    "    async def receive(self, context: Context) -> None:\n"
                    "        await context.send_json(WORD)\n"
                ),
            }
        )
        manifest = shelf.publish(WORKER).manifest
        put(flows, PublishedComponent("acme.own.core.Own", manifest, bundle_id, root, "python"), word)

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        first, second = await run(here, "red"), await run(here, "blue")

    assert sent(first) == ["red"]
    assert sent(second) == ["blue"]


async def test_a_runner_is_kept_warm_and_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(WORKER))
    settings = RunnerSettings(idle=timedelta(milliseconds=200))

    async with platform(tmp_path, flows, shelf=shelf, runners=settings) as here:
        pids = {sent(await run(here))[0]["pid"] for _ in range(3)}
        await until(lambda: not here.app.runners.pids)

    assert len(pids) == 1
    assert not any(exists(pid) for pid in pids)
    assert len(shelf.reads) == 1


async def test_there_are_no_more_runners_than_allowed_and_the_longest_idle_one_makes_room(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    for number in range(3):
        put(flows, shelf.publish(f"{WORKER}\n    # {number}"), f"f{number}")

    async with platform(tmp_path, flows, shelf=shelf, runners=RunnerSettings(most=2)) as here:
        pids = [sent(await run(here, f"f{number}"))[0]["pid"] for number in range(3)]
        await until(lambda: not exists(pids[0]))

        assert len(here.app.runners.pids) == 2
        assert exists(pids[1])
        assert exists(pids[2])
    assert not any(exists(pid) for pid in pids)


async def test_a_run_goes_on_with_the_content_that_it_began_with(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    slow = """
    import asyncio, pathlib
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            if context.attempt == 1 and VERSION == 1:
                raise ConnectionError("tried again with the same code")
            await context.send_json(VERSION)

    VERSION = {version}
    """
    put(flows, shelf.publish(slow.format(version=1)), version=1)

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, retry_first=timedelta(seconds=1)) as here:
        old, _ = await here.send("f1", "hook", {"method": "POST"})
        await here.until(old, RunState.WAITING, within=30)
        put(flows, shelf.publish(slow.format(version=2)), version=2)
        async with asyncio.timeout(30):
            while (new := await run(here)).run.version == 1:  # until the executor asks again
                pass
        first = await here.rest(old, within=30)

    assert sent(new) == [2]
    assert [step.outcome for step in first.steps if step.node_id == "own"][-1] == "done"
    assert sent(first) == [1]


async def test_triggers_schedules_and_hooks_work_as_built_in(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    trigger = shelf.publish(
        """
        from datetime import UTC, datetime, timedelta
        from headrace_core.schedules import Interval
        from headrace_sdk import CancelError, Component, Context

        class Own(Component):
            fires_on_start = True

            def schedule(self, properties):
                if properties["minutes"] < 1:
                    raise CancelError("Less than a minute is too often.")
                return Interval(timedelta(minutes=properties["minutes"]), datetime(2026, 1, 1, tzinfo=UTC))

            def fire_immediately(self, properties):
                return True

            async def start(self, context: Context) -> None:
                await context.flow_state.set("started", True)

            async def receive(self, context: Context) -> None:
                await context.send_json([context.port, await context.flow_state.get("started")])
        """,
        trigger=True,
        inPorts=[],
    )
    for flow_id, minutes in (("f1", 5), ("f2", 0)):
        node = {"type": trigger.type, "x": 0, "y": 0, "source": {}, "config": {"properties": {"minutes": minutes}}}
        flows.put(flow_id, {"own": node}, components=[trigger])

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        await here.app.activation.activate("f1", 1, "a1")
        runs, _ = await here.service.list_runs(RunFilter(TENANT, "f1"), 0, 10)
        details = [await here.rest(each.run_id, within=30) for each in runs]
        with pytest.raises(Exception, match="too often"):
            await here.app.activation.activate("f2", 1, "a2")

    [timer] = here.timers.timers["f1"]
    assert (timer.port, timer.immediate, timer.schedule.every) == ("schedule", True, timedelta(minutes=5))  # type: ignore[union-attr]
    assert ["start", True] in [content for detail in details for content in sent(detail)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def broken(:\n", "invalid syntax"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("x = 1\n", "defines 0 components instead of one"),
        ("import os\nos._exit(3)\n", "exit code 3"),
    ],
)
async def test_a_component_that_cannot_be_loaded_is_refused_with_the_reason(
    tmp_path: Path, code: str, reason: str
) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(code))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        with pytest.raises(ValidationFailed) as refused:
            await here.send("f1", "hook", {})

    [problem] = refused.value.problems
    assert problem.node == "own"
    assert reason in problem.message


async def test_a_component_of_a_later_release_is_refused_with_the_reason(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    published = shelf.publish(WORKER)
    put(flows, replace(published, language=""))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        with pytest.raises(ValidationFailed, match="language of another release"):
            await here.send("f1", "hook", {})


async def test_what_a_component_prints_is_in_the_log_of_its_step(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(
        flows,
        shelf.publish(
            """
            from headrace_sdk import Component, Context

            class Own(Component):
                async def receive(self, context: Context) -> None:
                    print("hello\\nworld")
            """
        ),
    )

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        detail = await run(here)

    [step] = [each for each in detail.steps if each.node_id == "own"]
    assert step.logs == [{"level": "debug", "message": "hello"}, {"level": "debug", "message": "world"}]


def exists(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


async def until(holds: Callable[[], object], within: float = 15.0) -> None:
    """Wait for something in another process, which tells nobody."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("allow_private", [False, True])
async def test_requests_of_a_published_component_obey_the_rules_of_egress(tmp_path: Path, allow_private: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")
        await writer.drain()

    asked: list[bytes] = []
    shelf, flows = Shelf(), HandedFlows()
    settings = {"shelf": shelf, "runners": QUICK, "egress_allow_private": allow_private}
    async with listening(answer) as port:
        put(
            flows,
            shelf.publish(
                f"""
                from headrace_sdk import CancelError, Component, Context

                class Own(Component):
                    async def receive(self, context: Context) -> None:
                        try:
                            answer = await context.http.request("GET", "http://127.0.0.1:{port}/a", params={{"b": "c"}})
                            await context.send_json([answer.status, answer.text])
                        except CancelError as error:
                            await context.send_json(str(error))
                """
            ),
        )
        async with platform(tmp_path, flows, **settings) as here:
            [said] = sent(await run(here))

    assert said == [200, "fine"] if allow_private else "not allowed" in said
    assert asked == ([b"GET /a?b=c HTTP/1.1"] if allow_private else [])


async def test_transforms_and_verbs_that_the_engine_has_no_use_for_yet_are_there(tmp_path: Path) -> None:
    """Static calls pass their answers through transforms; signals and samples are methods of the component."""
    shelf, flows = Shelf(), HandedFlows()
    published = shelf.publish(
        """
        from headrace_sdk import Component, Context

        def to_options(value):
            return [{"label": each.upper(), "value": each} for each in value]

        class Own(Component):
            transforms = {"to_options": to_options}

            async def signal(self, context: Context) -> None:
                await context.send_json("heard")
        """
    )
    put(flows, published)
    key = Key(TENANT, published.bundle_id)

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        runners, detail = here.app.runners, await run(here)
        plan = await here.app.plans.version("f1", 1)
        context = StepContext(
            here.app.doors,
            plan,
            plan.nodes["own"],
            detail.run,
            Delivery("d" * 32, Message("m", "hook", "request", None), "own", "in"),
            None,
            {},
            MemoryOfNode(dict, lambda name, operation: None),
            datetime.now(UTC),
            no_checkpoint,
        )
        options = await runners.transform(key, published.root, "to_options", ["a"])
        with pytest.raises(BadRequest, match="no transform"):
            await runners.transform(key, published.root, "other", None)
        with pytest.raises(ForeignError):
            await runners.transform(key, published.root, "to_options", 5)
        await runners.invoke(key, published.root, "signal", context, 10)
        with pytest.raises(Unsupported, match="no method test"):
            await runners.invoke(key, published.root, "test", context, 10)

    assert options == [{"label": "A", "value": "a"}]
    assert context.effects.outputs == [("out", "heard")]


async def no_checkpoint() -> None:
    """Little is sent."""


async def test_nothing_can_be_asked_for_a_call_that_is_over(tmp_path: Path) -> None:
    """A component that keeps the context of one call has no way into the state of another run."""
    shelf, flows = Shelf(), HandedFlows()
    put(
        flows,
        shelf.publish(
            """
            from headrace_sdk import Component, Context

            class Own(Component):
                kept = None

                async def receive(self, context: Context) -> None:
                    if self.kept is None:
                        self.kept = context
                        await context.state.set("a", 1)
                        return
                    try:
                        await self.kept.state.set("a", 2)
                    except Exception as error:
                        await context.send_json([type(error).__name__, await context.state.get("a")])
            """
        ),
    )

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        await run(here)
        detail = await run(here)

    assert sent(detail) == [["Forbidden", 1]]
