"""One executor in this process, with real runners of both languages, and what a bar of security came to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from headrace_executor.model import RunState
from headrace_executor.ports import PublishedComponent
from headrace_executor.settings import MIB, RunnerSettings
from headrace_executor.web import GuardedWeb
from headrace_runtime.egress import Egress, EgressPolicy, Resolver

from tests.executor.platform import HandedFlows, Platform, platform
from tests.executor.published import Shelf
from tests.executor.test_runners import flow_of, sent

Language = Literal["python", "javascript"]
LANGUAGES: Sequence[Language] = get_args(Language)
SHOWN = 10
RUN_SECONDS = 300
RUNNERS = RunnerSettings(
    most=4, hang_after=timedelta(seconds=60), start_within=timedelta(seconds=60), memory_bytes=256 * MIB
)
NODE = "own"


@dataclass(slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    bar: str
    wrong: list[str] = field(default_factory=list)
    told: dict[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.wrong

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        more = [f"and {len(self.wrong) - SHOWN} more"] if len(self.wrong) > SHOWN else []
        return "\n".join([*self.wrong[:SHOWN], *more])

    def line(self) -> str:
        told = {**self.told, "wrong": len(self.wrong)}
        return f"{self.bar} " + " ".join(f"{name}={value}" for name, value in told.items())


@dataclass(frozen=True, slots=True)
class Confined:
    """An executor whose flows are one published component each."""

    here: Platform
    flows: HandedFlows
    shelf: Shelf

    async def answers(self, published: PublishedComponent, content: Any) -> Any:
        """What the component sends when this arrives; the words of its failure where it fails."""
        flow_id = f"{published.language}-{published.bundle_id}"
        self.flows.put(flow_id, flow_of(published), components=[published])
        return await self.of_flow(flow_id, content)

    async def of_flow(self, flow_id: str, content: Any) -> Any:
        run_id, _ = await self.here.send(flow_id, "hook", {"method": "POST", "data": content})
        detail = await self.here.rest(run_id, within=RUN_SECONDS)
        if detail.run.state is not RunState.DONE:
            return str([step.error for step in detail.steps if step.error])
        return sent(detail, NODE)[0]

    def publish(
        self, language: Language, code: str, name: str = "Own", hosts: Sequence[str] | None = None
    ) -> PublishedComponent:
        """A component of this code, in a bundle of its own that declares these hosts."""
        root = f"acme/own/core/{name}"
        component_type = root.replace("/", ".")
        manifest: dict[str, Any] = {"name": component_type, "inPorts": [{"name": "in"}], "outPorts": [{"name": "out"}]}
        if hosts is not None:
            manifest["hosts"] = list(hosts)
        file = "component.py" if language == "python" else f"{name}.js"
        content = self.shelf.put({f"{root}/component.json": json.dumps(manifest), f"{root}/{file}": code})
        return PublishedComponent(component_type, manifest, content, root, language)


@contextlib.asynccontextmanager
async def confined(
    folder: Path,
    *,
    mutant: str = "",
    policy: EgressPolicy | None = None,
    resolver: Resolver | None = None,
    **settings: Any,
) -> AsyncIterator[Confined]:
    """Run the executor over a folder of its own; `policy` and `resolver` are those of its built-in components."""
    flows, shelf = HandedFlows(), Shelf()
    chosen: Mapping[str, Any] = {"resolver": resolver} if resolver else {}
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with (
        Egress(policy or EgressPolicy(), **chosen) as egress,
        platform(
            folder,
            flows,
            GuardedWeb(egress),  # type: ignore[arg-type]  # a test may look at calls, a bar does not
            shelf=shelf,
            runners=RUNNERS,
            retry_count=0,
            receive_timeout=timedelta(seconds=RUN_SECONDS),
            mutant=mutant,
            **settings,
        ) as here,
    ):
        yield Confined(here, flows, shelf)
