"""R9 for runners: what a component does to its own process harms nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_executor.model import RunState
from headrace_executor.service import RunDetail
from headrace_executor.settings import RunnerSettings

from .neighbours import MemoryLocks
from .platform import HandedFlows, Platform, Rooms, platform
from .published import Shelf
from .test_runners import WORKER, exists, flow_of, put, run, sent, until

MIB = 1024 * 1024
STRICT = RunnerSettings(
    most=6,
    hang_after=timedelta(seconds=2),
    cancel_within=timedelta(seconds=1),
    start_within=timedelta(seconds=60),
    memory_bytes=64 * MIB,
    output_bytes=16 * 1024,
)
NEIGHBOURS = 9

POISONS = {
    "exits": "os._exit(7)",
    "raises SystemExit": "raise SystemExit(3)",
    "segfaults": "ctypes.string_at(0)",
    "aborts": "os.abort()",
    "kills itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "while True: pass",
    "sleeps and blocks all": "time.sleep(600)",
    "eats memory": "[bytes(1024 * 1024) for _ in range(4096)]",
    "floods its output": "while True: os.write(1, b'x' * 65536)",
    "forks for ever": "while True: os.fork()",
    "starts threads without end": "while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "opens files without end": "kept = [open('/dev/null') for _ in range(100_000)]",
    "writes a file without end": "open('big', 'wb', 0).truncate(2**40)",
    "recurses without end": "endless = lambda: endless(); endless()",
    "closes every file": "os.closerange(0, 1000)",
    "sends what is no JSON": "await context.send_json({'a': object()})",
    "raises for ever": "raise ValueError('always')",
}


def poison(line: str) -> str:
    return f"""
    import asyncio, ctypes, os, signal, threading, time
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            if context.content["data"] == "poison":
                {line}
            await context.send_json("fine")
    """


@asynccontextmanager
async def house(folder: Path, code: str, **manifest: Any) -> AsyncIterator[Platform]:
    """Flow `bad` uses a component with this code, flow `good` another bundle's."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(code, **manifest), "bad")
    put(flows, shelf.publish(WORKER), "good")
    settings = {"retry_first": timedelta(milliseconds=20), "retry_count": 1, "receive_timeout": timedelta(seconds=20)}
    async with platform(folder, flows, shelf=shelf, runners=STRICT, workers=32, **settings) as here:
        yield here


@pytest.mark.parametrize("what", POISONS)
async def test_the_neighbours_of_a_poisonous_component_all_finish(tmp_path: Path, what: str) -> None:
    async with house(tmp_path, poison(POISONS[what])) as here:
        [before] = sent(await run(here, "good"))
        bad, _ = await here.send("bad", "hook", {"method": "POST", "data": "poison"})
        good = [await run(here, "good") for _ in range(NEIGHBOURS)]
        ended = await here.rest(bad, within=60)
        repaired = await run(here, "bad", "harmless")

    assert [detail.run.state for detail in good] == [RunState.DONE] * NEIGHBOURS
    assert {sent(detail)[0]["pid"] for detail in good} == {before["pid"]}, "its process went on as if nothing was"
    assert ended.run.state is RunState.FAILED
    assert [step.outcome for step in ended.steps if step.node_id == "own"] == ["failed"]
    assert sent(repaired) == ["fine"]


async def test_healthy_steps_that_wait_behind_many_poisonous_ones_in_one_process_lose_no_try(tmp_path: Path) -> None:
    async with house(tmp_path, poison("os._exit(7)")) as here:
        await run(here, "bad", "harmless")
        words = (["fine"] * 3 + ["poison"]) * 6
        runs = [(word, (await here.send("bad", "hook", {"method": "POST", "data": word}))[0]) for word in words]
        ended = [(word, await here.rest(run_id, within=60)) for word, run_id in runs]

    states = {word: {detail.run.state for each, detail in ended if each == word} for word in ("fine", "poison")}
    assert states == {"fine": {RunState.DONE}, "poison": {RunState.FAILED}}


async def test_the_message_that_poisons_is_kept_with_the_reason(tmp_path: Path) -> None:
    async with house(tmp_path, poison("os.kill(os.getpid(), signal.SIGKILL)")) as here:
        ended = await run(here, "bad", "poison")

    [step] = [each for each in ended.steps if each.node_id == "own"]
    assert step.error is not None
    assert step.error["code"] == "runner_ended"
    assert "SIGKILL" in str(step.error["message"])
    assert step.attempts == 2


@pytest.mark.parametrize(
    "attack",
    [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "__import__('subprocess').run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.kill(-1, signal.SIGKILL)",
        "os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)",
        "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL)",
        "__import__('resource').setrlimit(__import__('resource').RLIMIT_DATA, (-1, -1))",
        "__import__('resource').prlimit(os.getppid(), __import__('resource').RLIMIT_NOFILE, (1, 1))",
    ],
)
async def test_a_component_cannot_reach_another_process(tmp_path: Path, attack: str) -> None:
    code = f"""
    import os, signal
    from headrace_sdk import CancelError, Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            try:
                {attack}
            except (OSError, ValueError) as error:
                await context.send_json(type(error).__name__)
            else:
                raise CancelError("it worked")
    """
    async with house(tmp_path, code) as here:
        detail = await run(here, "bad")

    assert len(sent(detail)) == 1, detail.steps
    assert sent(detail)[0] in ("PermissionError", "ValueError", "OSError")


async def test_a_runner_has_nothing_of_the_executors_environment(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HEADRACE_VAULT_KEY", "secret of the executor")
    code = """
    import os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            order = int(open("/proc/self/oom_score_adj").read())
            await context.send_json([dict(os.environ), os.getcwd(), sorted(os.listdir()), order])
    """
    async with house(tmp_path, code) as here:
        [[environment, folder, files, order]] = sent(await run(here, "bad"))

    assert set(environment) <= {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "LC_CTYPE", "RES_OPTIONS"}
    assert environment["HOME"] == folder
    assert files == []
    assert order == 1000, "it goes before the executor where memory runs out for all"
    assert not await asyncio.to_thread(Path(folder).exists), "it goes with the process"


async def test_a_call_that_takes_too_long_is_cancelled_and_its_process_goes_on(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    code = """
    import asyncio, os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            if context.attempt == 1:
                await asyncio.sleep(600)
            await context.send_json(os.getpid())
    """
    put(flows, shelf.publish(code))
    settings = {"receive_timeout": timedelta(seconds=1), "retry_count": 1}
    async with platform(tmp_path, flows, shelf=shelf, runners=STRICT, **settings) as here:
        detail = await run(here)
        again = await run(here)

    assert detail.run.state is RunState.DONE
    assert sent(detail) == sent(again), "the same process answered"


async def test_a_component_that_does_not_let_go_ends_with_its_process(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    code = """
    import asyncio, os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            while context.attempt == 1:
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    pass
            await context.send_json(os.getpid())
    """
    put(flows, shelf.publish(code))
    settings = {"receive_timeout": timedelta(seconds=1), "retry_count": 1, "retry_first": timedelta(seconds=3)}
    async with platform(tmp_path, flows, shelf=shelf, runners=STRICT, **settings) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST"})
        [first] = here.app.runners.pids.values()
        detail = await here.rest(run_id, within=30)

    assert sent(detail) != [first]
    assert not exists(first)


WAITING = """
    import asyncio, os, pathlib
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            await context.flow_state.add_to_set("keys", context.idempotency_key)
            if context.attempt == 1:
                pathlib.Path(FILE).touch()
                await asyncio.sleep(600)
            await context.send_json([context.attempt, await context.flow_state.get("keys")])

        async def reconcile(self, context: Context) -> bool | None:
            return RECONCILED
    """


async def killed_in_the_middle(
    folder: Path, effect: str, reconciled: bool | None = None, config: dict[str, Any] | None = None
) -> RunDetail:
    """Run a component whose first call waits, and kill its process meanwhile."""
    shelf, flows = Shelf(), HandedFlows()
    mark = folder / "called"
    code = WAITING.replace("FILE", repr(str(mark))).replace("RECONCILED", repr(reconciled))
    published = shelf.publish(code, **({"effect": effect} if effect else {}))
    flows.put("f1", flow_of(published, **(config or {})), components=[published])
    async with platform(folder, flows, shelf=shelf, runners=replace(STRICT, folders=(str(folder),))) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST"})
        await until(mark.exists, within=30)
        [pid] = here.app.runners.pids.values()
        os.kill(pid, signal.SIGKILL)
        return await here.rest(run_id, within=60)


@pytest.mark.parametrize("effect", ["pure", "read", "idempotent", ""])
async def test_a_call_that_may_be_repeated_is_when_its_process_is_killed(tmp_path: Path, effect: str) -> None:
    detail = await killed_in_the_middle(tmp_path, effect)

    assert detail.run.state is RunState.DONE
    [[attempt, keys]] = sent(detail)
    assert attempt == 2
    assert len(keys) == 1, "both calls had one idempotency key"


async def test_an_unsafe_call_whose_process_is_killed_is_in_doubt_and_parked(tmp_path: Path) -> None:
    detail = await killed_in_the_middle(tmp_path, "unsafe")

    [step] = [each for each in detail.steps if each.node_id == "own"]
    assert detail.run.state is RunState.FAILED
    assert step.error is not None
    assert step.error["code"] == "in_doubt"


@pytest.mark.parametrize(
    ("reconciled", "config", "state", "sends"),
    [
        (True, {}, RunState.DONE, 0),  # it took place: nobody repeats it
        (False, {}, RunState.DONE, 1),  # it did not: it is called again
        (None, {"inDoubt": "retry"}, RunState.DONE, 1),
        (None, {"inDoubt": "skip"}, RunState.DONE, 0),
    ],
)
async def test_doubt_is_settled_by_the_component_or_the_flow(
    tmp_path: Path, reconciled: bool | None, config: dict[str, Any], state: RunState, sends: int
) -> None:
    detail = await killed_in_the_middle(tmp_path, "unsafe", reconciled, config)

    assert detail.run.state is state
    assert len(sent(detail)) == sends


async def test_locks_of_a_killed_call_are_given_back(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    code = """
    import os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            async with context.lock("door", retries=0):
                if context.attempt == 1:
                    os._exit(1)
                await context.send_json("in")
    """
    put(flows, shelf.publish(code))
    rooms = Rooms(timers=MemoryLocks())
    async with platform(tmp_path, flows, shelf=shelf, runners=STRICT, rooms=rooms) as here:
        detail = await run(here)

    assert sent(detail) == ["in"]


async def test_nobody_outlives_an_executor_that_is_killed(tmp_path: Path) -> None:
    """Even where the component is stuck in a loop and hears nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.executor.doomed", str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids = [int(each) for each in (await asyncio.wait_for(process.stdout.readline(), 60)).split()]
    assert len(pids) == 2
    assert all(exists(pid) for pid in pids)

    process.kill()
    await process.wait()

    await until(lambda: not any(exists(pid) for pid in pids))


async def test_innocent_calls_in_the_same_process_finish_at_their_second_try(tmp_path: Path) -> None:
    """Ten calls are under way in one process when one of them ends it, and that one does so whenever it is called."""
    code = """
    import asyncio, os
    from headrace_sdk import Component, Context

    class Own(Component):
        async def receive(self, context: Context) -> None:
            mine = context.content["data"]
            if mine == "poison":
                await asyncio.sleep(0.5)
                os._exit(1)
            await asyncio.sleep(3.0 if context.attempt == 1 and mine != "warm" else 0.0)
            await context.send_json([mine, context.attempt])
    """
    async with house(tmp_path, code) as here:
        await run(here, "bad", "warm")
        pids = dict(here.app.runners.pids)
        runs = [(await here.send("bad", "hook", {"data": each}))[0] for each in [*range(NEIGHBOURS), "poison"]]
        *innocent, guilty = [await here.rest(each, within=60) for each in runs]

    assert len(pids) == 1
    assert [sent(detail) for detail in innocent] == [[[number, 2]] for number in range(NEIGHBOURS)]
    assert guilty.run.state is RunState.FAILED
