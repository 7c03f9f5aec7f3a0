"""Modifiers that administrators wrote in JavaScript run in flows, in a process of their own, and harm nobody there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace_executor.model import RunState

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import HandedFlows, Rooms, platform, webhook
from .published import Shelf
from .test_runners import QUICK, run, sent

SCRIPTS = {
    "g_shout": "function(value, mark, options) { return value.toUpperCase() + mark + (options.hash.times || ''); }",
    "g_twice": "(value) => [value, value]",
    "g_stamp": "() => 'now'",
    "g_fails": "() => { throw new Error('not so'); }",
    "g_broken": "function( {",
    "g_reads": "() => require('fs').readFileSync('/etc/passwd', 'utf8').length",
    "g_none": "5",
    "constructor": "() => 'own'",
}


class Handed:
    """Keeps `ports.Modifiers`."""

    def __init__(self) -> None:
        self.asked = 0

    async def scripts(self) -> Mapping[str, str]:
        self.asked += 1
        return SCRIPTS


def chain(*functions: Any, variable: str = "$.hook.request.data.word") -> dict[str, Any]:
    return {"v": {"variable": variable, "functions": list(functions)}}


def use(name: str, *params: Any, **named: Any) -> dict[str, Any]:
    given = [{"value": each} for each in params]
    return {"name": name, "params": [*given, *({"name": key, "value": each} for key, each in named.items())]}


async def test_modifiers_in_javascript_are_run_among_those_that_are_built_in(tmp_path: Path) -> None:
    modifiers = {
        "shouted": chain(use("g_trim"), use("g_shout", "!"), use("g_length")),
        "twice": chain(use("g_twice"), use("g_last"), use("g_shout", "?")),
        "each": {"v": {"functions": [use("g_stamp")]}},
        "own": chain(use("constructor")),
        **{name: chain(use(f"g_{name}")) for name in ("fails", "broken", "reads", "none", "missing")},
        "kept": chain(use("g_uppercase")),
    }
    entry = {"type": "json2new", "modifiers": modifiers, "lambda": dict.fromkeys(modifiers, "{{{v}}}")}
    shelf, flows, handed = Shelf(), HandedFlows(), Handed()
    code = "module.exports = { receive: (context) => context.sendJson(context.messages.in.content, 'out') };"
    own = shelf.publish_javascript(code)
    config = {"transform": {"in": {"hook": {"request": entry}}}}
    node = {"type": own.type, "source": {"in": {"hook": ["request"]}}, "config": config}
    flows.put("f1", {"hook": webhook(), "own": node}, components=[own])

    rooms = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore(), modifiers=handed)
    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, rooms=rooms) as here:
        detail = await run(here, content={"word": " ada "})
        pids = here.app.runners.pids

    assert detail.run.state is RunState.DONE, detail.steps
    assert sent(detail) == [{"shouted": 4, "twice": " ADA ?", "each": "now", "own": "own", "kept": " ADA "}], (
        "what fails is as a variable that is not there"
    )
    assert handed.asked == 1
    assert len(pids) == 2, "the component, and the modifiers"
