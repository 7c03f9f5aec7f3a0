"""R9 for runners of JavaScript: what a component does to its own process harms nobody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_executor.model import RunState
from headrace_executor.service import RunDetail

from .neighbours import MemoryLocks
from .platform import HandedFlows, Platform, Rooms, platform
from .published import Shelf
from .test_runner_poison import NEIGHBOURS, STRICT
from .test_runners import WORKER, exists, flow_of, put, run, sent, until

POISONS = {
    "exits": "process.exit(7);",
    "aborts": "process.abort();",
    "kills itself": "process.kill(process.pid, 'SIGKILL');",
    "hangs": "for (;;) { }",
    "hangs in promises": "for (;;) { await null; }",
    "eats the heap": "const kept = []; for (;;) { kept.push(new Array(1000).fill('x').join(String(kept.length))); }",
    "eats memory beside the heap": "const kept = []; for (;;) { kept.push(Buffer.alloc(1024 * 1024, 1)); }",
    "floods its output": "for (;;) { fs.writeSync(1, 'x'.repeat(65536)); }",
    "forks for ever": (
        "for (;;) { child.spawnSync('/bin/true'); child.fork('/nothing').on('error', () => {}); await pause(1); }"
    ),
    "starts workers without end": (
        "for (;;) { new threads.Worker('for (;;) { }', { eval: true }).on('error', () => {}); await pause(5); }"
    ),
    "opens files without end": "for (let n = 0; n < 100000; n += 1) { fs.openSync('/dev/null'); }",
    "writes a file without end": "fs.ftruncateSync(fs.openSync('big', 'w'), 2 ** 40);",
    "recurses without end": "const endless = () => endless(); endless();",
    "closes every file": "for (let n = 0; n < 100; n += 1) { try { fs.closeSync(n); } catch { } } await pause(600000);",
    "sends what is no JSON": "await context.sendJson({ big: 1n }, 'out');",
    "throws for ever": "throw new Error('always');",
    "throws at the process": "setTimeout(() => { throw new Error('later'); }, 5); await pause(600000);",
    "emits an error that nobody hears": "new (require('events'))().emit('error', new Error('unheard'));",
    "rejects behind its back": "Promise.reject(new Error('behind')); await pause(600000);",
    "takes the tools away": "global.Promise = global.Buffer = global.setTimeout = undefined; throw 1;",
}


def poison(line: str) -> str:
    return f"""
    const fs = require('fs');
    const child = require('child_process');
    const threads = require('worker_threads');
    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    module.exports = {{
        async receive(context) {{
            if (context.messages.in.content.data === 'poison') {{
                {line}
            }}
            await context.sendJson('fine', 'out');
        }}
    }};
    """


@asynccontextmanager
async def house(folder: Path, code: str, **manifest: Any) -> AsyncIterator[Platform]:
    """Flow `bad` uses a component with this code, flow `good` one of another bundle, in Python."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(code, **manifest), "bad")
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
        ended = await here.rest(bad, within=100)
        repaired = await run(here, "bad", "harmless")

    assert [detail.run.state for detail in good] == [RunState.DONE] * NEIGHBOURS
    assert {sent(detail)[0]["pid"] for detail in good} == {before["pid"]}, "its process went on as if nothing was"
    assert ended.run.state is RunState.FAILED
    assert [step.outcome for step in ended.steps if step.node_id == "own"] == ["failed"]
    assert sent(repaired) == ["fine"]


@pytest.mark.parametrize(
    "attack",
    [
        "const { error } = child.spawnSync('/bin/true'); if (error) { throw error; }",
        "child.execFileSync('/bin/true')",
        "await new Promise((resolve, reject) => child.fork('/nothing').on('error', reject).on('spawn', resolve))",
        "process.kill(process.ppid, 'SIGKILL')",
        "process.kill(-1, 'SIGKILL')",
        "process.dlopen({ exports: {} }, '/usr/lib/x86_64-linux-gnu/libc.so.6')",
        "require('fs').readFileSync(`/proc/${process.ppid}/mem`)",
        "require('fs').writeFileSync(`/proc/${process.ppid}/oom_score_adj`, '1000')",
    ],
)
async def test_a_component_cannot_reach_another_process(tmp_path: Path, attack: str) -> None:
    code = f"""
    const child = require('child_process');
    module.exports = {{
        async receive(context) {{
            try {{
                {attack};
            }} catch (error) {{
                await context.sendJson(String(error.code), 'out');
                return;
            }}
            throw new context.CancelError('it worked');
        }}
    }};
    """
    async with house(tmp_path, code) as here:
        detail = await run(here, "bad")

    assert len(sent(detail)) == 1, detail.steps
    assert sent(detail)[0] in ("EPERM", "ENOSYS", "EACCES", "EIO", "ERR_DLOPEN_DISABLED", "ERR_DLOPEN_FAILED")


async def test_a_runner_has_nothing_of_the_executors_environment(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HEADRACE_VAULT_KEY", "secret of the executor")
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    code = """
    const fs = require('fs');
    module.exports = {
        async receive(context) {
            const order = Number(fs.readFileSync('/proc/self/oom_score_adj', 'utf8'));
            await context.sendJson([process.env, process.cwd(), fs.readdirSync('.'), order], 'out');
        }
    };
    """
    async with house(tmp_path, code) as here:
        [[environment, folder, files, order]] = sent(await run(here, "bad"))

    assert set(environment) <= {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "LC_CTYPE", "RES_OPTIONS"}
    assert environment["HOME"] == folder
    assert files == []
    assert order == 1000, "it goes before the executor where memory runs out for all"


@pytest.mark.parametrize(
    "waits",
    [
        "await new Promise((resolve) => setTimeout(resolve, 600000));",
        "for (;;) { try { await new Promise((resolve) => setTimeout(resolve, 600000)); } catch { } }",
        "await context.lock('door', { retryDelay: 1000, maxRetryCount: 600 });",
        "setInterval(() => {}, 10); await new Promise(() => {});",
    ],
)
async def test_a_call_that_takes_too_long_is_cancelled_and_its_process_goes_on(tmp_path: Path, waits: str) -> None:
    shelf, flows = Shelf(), HandedFlows()
    code = f"""
    module.exports = {{
        async receive(context) {{
            if (context.attempt === 1) {{
                {waits}
            }}
            await context.sendJson(process.pid, 'out');
        }}
    }};
    """
    put(flows, shelf.publish_javascript(code))
    settings = {"receive_timeout": timedelta(seconds=1), "retry_count": 1}
    rooms = Rooms(timers=MemoryLocks())
    await rooms.timers.acquire_lock(f"{'a' * 24}/acme.own/door", "somebody", timedelta(hours=1))
    async with platform(tmp_path, flows, shelf=shelf, runners=STRICT, rooms=rooms, **settings) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST"})
        await until(lambda: bool(here.app.runners.pids))
        [first] = here.app.runners.pids.values()
        detail = await here.rest(run_id, within=30)

    assert detail.run.state is RunState.DONE
    assert sent(detail) == [first], "the same process answered"


WAITING = """
    const fs = require('fs');
    module.exports = {
        async receive(context) {
            await context.flow.stateAddToSet('keys', context.idempotencyKey);
            if (context.attempt === 1) {
                fs.writeFileSync('FILE', '');
                await new Promise((resolve) => setTimeout(resolve, 600000));
            }
            await context.sendJson([context.attempt, await context.flow.stateGet('keys')], 'out');
        },
        reconcile: async () => RECONCILED
    };
    """


async def killed_in_the_middle(
    folder: Path, effect: str, reconciled: str = "null", config: dict[str, Any] | None = None
) -> RunDetail:
    """Run a component whose first call waits, and kill its process meanwhile."""
    shelf, flows = Shelf(), HandedFlows()
    mark = folder / "called"
    code = WAITING.replace("FILE", str(mark)).replace("RECONCILED", reconciled)
    published = shelf.publish_javascript(code, **({"effect": effect} if effect else {}))
    flows.put("f1", flow_of(published, **(config or {})), components=[published])
    runners = replace(STRICT, folders=(str(folder),))
    async with platform(folder, flows, shelf=shelf, runners=runners) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST"})
        await until(mark.exists, within=30)
        [pid] = here.app.runners.pids.values()
        os.kill(pid, signal.SIGKILL)
        detail = await here.rest(run_id, within=60)
    assert not exists(pid)
    return detail


@pytest.mark.parametrize("effect", ["pure", "read", "idempotent", ""])
async def test_a_call_that_may_be_repeated_is_when_its_process_is_killed(tmp_path: Path, effect: str) -> None:
    detail = await killed_in_the_middle(tmp_path, effect)

    assert detail.run.state is RunState.DONE
    [[attempt, keys]] = sent(detail)
    assert attempt == 2
    assert len(keys) == 1, "both calls had one idempotency key"


@pytest.mark.parametrize(
    ("reconciled", "config", "state", "sends"),
    [
        ("null", {}, RunState.FAILED, 0),  # in doubt, and parked
        ("true", {}, RunState.DONE, 0),  # it took place: nobody repeats it
        ("false", {}, RunState.DONE, 1),  # it did not: it is called again
        ("null", {"inDoubt": "retry"}, RunState.DONE, 1),
        ("null", {"inDoubt": "skip"}, RunState.DONE, 0),
    ],
)
async def test_an_unsafe_call_whose_process_is_killed_is_in_doubt(
    tmp_path: Path, reconciled: str, config: dict[str, Any], state: RunState, sends: int
) -> None:
    detail = await killed_in_the_middle(tmp_path, "unsafe", reconciled, config)

    assert detail.run.state is state
    assert len(sent(detail)) == sends
    [step] = [each for each in detail.steps if each.node_id == "own"]
    assert state is not RunState.FAILED or (step.error is not None and step.error["code"] == "in_doubt")
