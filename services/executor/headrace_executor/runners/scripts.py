"""Modifiers that administrators wrote in JavaScript, run where published components are: in processes of their own.

The functions of the modifiers document make a bundle, whose one component has them in a table; each tenant's flows have
a process of their own for it, that reaches no network. Those that come with Headrace are not replaced.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Final

from headrace_core.archives import write_archive
from headrace_core.bundles import content_id
from headrace_core.clock import Clock
from headrace_core.errors import Unavailable
from headrace_core.expressions import Json, ScriptAnswer, ScriptCall
from headrace_sdk.errors import TransientError

from headrace_executor.ports import BundleSource, Modifiers
from headrace_executor.retry import CutShort, describe
from headrace_executor.runners.pool import Key, Runners

FRESH_SECONDS: Final = 2.0
PIECE: Final = 256 * 1024
REMEMBERED: Final = 32
ROOT: Final = "headrace/modifiers/custom/Modifiers"
NOWHERE: Final = "nowhere.invalid"

_MANIFEST: Final = {"name": ROOT.replace("/", "."), "hosts": [NOWHERE]}
_TABLE: Final = """'use strict';
const files = require('./files.json');
const load = (name) => {
    if (!Object.hasOwn(files, name)) {
        throw new Error(`there is no modifier ${name}`);
    }
    const own = require(files[name]);
    if (typeof own !== 'function') {
        throw new Error(`${name} is no function`);
    }
    return own;
};
const helpers = Object.freeze(Object.fromEntries(
    Object.keys(files).map((name) => [name, (...given) => load(name)(...given)])));
const run = ({ name, value, params, named }) =>
    load(name)(value === null ? undefined : value, ...params, { hash: named, data: { root: {} }, helpers });
module.exports = { run };
"""


class ScriptBundles:
    """Keeps `ports.BundleSource`: bundles of modifiers, and those that the flow manager has."""

    def __init__(self, behind: BundleSource) -> None:
        self._behind = behind
        self._archives: dict[str, bytes] = {}

    def put(self, files: Mapping[str, bytes]) -> str:
        """Have a bundle at hand; its content id."""
        bundle_id = content_id(dict(files))
        self._archives[bundle_id] = self._archives.pop(bundle_id, b"") or write_archive(dict(files))
        while len(self._archives) > REMEMBERED:
            del self._archives[next(iter(self._archives))]
        return bundle_id

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        archive = self._archives.get(bundle_id)
        if archive is None:
            async for piece in self._behind.read(bundle_id):
                yield piece
            return
        for begin in range(0, len(archive), PIECE):
            yield archive[begin : begin + PIECE]


class CustomModifiers:
    """Runs them. What the document says is known for a moment."""

    def __init__(self, runners: Runners, bundles: ScriptBundles, modifiers: Modifiers | None, clock: Clock) -> None:
        self._runners = runners
        self._bundles = bundles
        self._modifiers = modifiers
        self._clock = clock
        self._scripts: Mapping[str, str] = {}
        self._bundle_id = ""
        self._until = 0.0

    async def run(self, tenant_id: str, call: ScriptCall) -> ScriptAnswer:
        """What a modifier came to, or why it failed. Raises TransientError and CutShort for what may pass."""
        await self._refresh()
        if call.name not in self._scripts:
            return ScriptAnswer(failure=f"there is no modifier {call.name[:100]!r}")
        return await self._run(tenant_id, self._bundle_id, call)

    async def attempt(self, tenant_id: str, source: str, call: ScriptCall) -> ScriptAnswer:
        """The same for one that is not in the document, or not like this. Those of the document are its helpers."""
        await self._refresh()
        self._bundles.put(_files(self._scripts))  # what is tried takes no place from what is used
        return await self._run(tenant_id, self._bundles.put(_files({**self._scripts, call.name: source})), call)

    async def _run(self, tenant_id: str, bundle_id: str, call: ScriptCall) -> ScriptAnswer:
        key = Key(tenant_id, bundle_id, language="javascript")
        given: Json = {"name": call.name, "value": call.value, "params": [*call.params], "named": dict(call.named)}
        try:
            return ScriptAnswer(await self._runners.transform(key, ROOT, "run", given))
        except (TransientError, CutShort):
            raise
        except Unavailable as error:
            raise TransientError(f"The modifier {call.name} cannot be run now: {error}") from error
        except Exception as error:  # of an administrator's modifier
            return ScriptAnswer(failure=describe(error)[:500])

    async def _refresh(self) -> None:
        if self._modifiers is None or self._clock.monotonic() < self._until:
            return
        try:
            scripts = await self._modifiers.scripts()
        except Unavailable as error:
            raise TransientError(f"Nobody says now which modifiers there are: {error}") from error
        self._until = self._clock.monotonic() + FRESH_SECONDS
        if scripts != self._scripts or not self._bundle_id:
            self._scripts = scripts
            self._bundle_id = self._bundles.put(_files(scripts))


def _files(scripts: Mapping[str, str]) -> dict[str, bytes]:
    names = {name: f"./m{number}.js" for number, name in enumerate(sorted(scripts))}
    own = {
        f"{ROOT}/{place[2:]}": f"module.exports = (\n{scripts[name]}\n);\n".encode() for name, place in names.items()
    }
    return {
        f"{ROOT}/component.json": json.dumps(_MANIFEST).encode(),
        f"{ROOT}/Modifiers.js": _TABLE.encode(),
        f"{ROOT}/files.json": json.dumps(names).encode(),
        **own,
    }
