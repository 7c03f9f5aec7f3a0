"""The runners of one executor: started when a step needs one, kept warm, few enough, ended when nobody needs them."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound
from headrace_core.expressions import Json
from headrace_core.schedules import Schedule
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.metrics import Metrics
from headrace_runtime.sqlite import lock_directory
from headrace_sdk.errors import TransientError

from headrace_executor.context import StepContext
from headrace_executor.hearing import Listener
from headrace_executor.plugins import RouteAnswer, WebRequest
from headrace_executor.ports import BundleSource
from headrace_executor.retry import CutShort
from headrace_executor.runners.bundles import Bundles, hosts_of
from headrace_executor.runners.client import Absent, Description, FolderDescription, VerbName
from headrace_executor.runners.folders import temporary_folder
from headrace_executor.runners.languages import Language, Languages
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.process import NotCalled, Runner
from headrace_executor.settings import RunnerSettings

LOOK_SECONDS = 1.0
AUTH_SECONDS = 60.0  # a far side is asked
PLUGIN_SECONDS = 60.0
LONGEST_ROUTE_SECONDS = 150.0  # more than whoever calls a route gives it
WORN_OUT = 0.8  # of the processor time that a process gets

MAX_SUSPECTS = 10_000


class Key(NamedTuple):
    """What a process is there for."""

    tenant_id: str
    bundle_id: str
    is_for_suspects: bool = False
    """True for the one that takes steps one at a time, each of which was under way when another process ended."""
    language: Language = "python"


class Runners:
    """Finds or starts the process for a bundle and a tenant. Nothing is started before `running`."""

    def __init__(
        self,
        source: BundleSource,
        settings: RunnerSettings,
        policy: EgressPolicy,
        clock: Clock,
        metrics: Metrics,
        *,
        trusts_suspects: bool = False,
        trusts_hosts: bool = False,
    ) -> None:
        self.settings = settings
        self._source = source
        self._policy = policy
        self._clock = clock
        self._languages = Languages(settings)
        self._bundles: Bundles | None = None
        self._folder = Path()
        self._runners: dict[Key, Runner] = {}
        self._living: set[Runner] = set()  # those that only finish their calls included
        self._starting: dict[Key, asyncio.Task[Runner]] = {}
        self._going: set[asyncio.Task[None]] = set()
        self._trusts_suspects = trusts_suspects
        self._trusts_hosts = trusts_hosts
        self._suspects: OrderedDict[str, None] = OrderedDict()
        self._numbers = itertools.count(1)
        self._moved = asyncio.Condition()
        self._started = metrics.counter("headrace_runner_starts_total", "Processes started for published components.")
        metrics.follow(
            "headrace_runners", "Processes that host published components.", lambda: len(self._living), kind="gauge"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Host components while the block runs; when it ends, every process does."""
        async with AsyncExitStack() as stack:
            self._folder = stack.enter_context(temporary_folder())
            kept = self.settings.bundle_folder
            if kept is not None:
                stack.enter_context(lock_directory(kept))
            self._bundles = Bundles(kept or self._folder / "bundles", self._source, self.settings.bundle_bytes)
            stack.push_async_callback(self._bundles.close)
            looking = asyncio.create_task(self._look())
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                await self._stop_all()

    # What others ask for.

    async def invoke(self, key: Key, root: str, verb: VerbName, context: StepContext, timeout: float) -> bool | None:
        """Call a component; see `Runner.invoke`. Raises TransientError when no process can be had.

        When a process ends, nobody knows which of its steps did that. Each of them is a suspect from then on and is
        called where it is alone, so that it can end nothing but itself; once it comes through, it is one no more.
        """
        step_id = context.step_id
        if step_id in self._suspects and not self._trusts_suspects:
            key = key._replace(is_for_suspects=True)
        try:
            happened = await self._invoke(key, root, verb, context, timeout)
        except CutShort:
            self._suspects[step_id] = None
            if len(self._suspects) > MAX_SUSPECTS:
                self._suspects.popitem(last=False)
            raise
        self._suspects.pop(step_id, None)
        return happened

    async def _invoke(self, key: Key, root: str, verb: VerbName, context: StepContext, timeout: float) -> bool | None:
        """Call it in the first process that is there when its turn comes.

        What waits for its turn in a process that others end has not been tried: it asks the next one, for as long as
        a call may take.
        """
        began = self._clock.monotonic()
        while True:
            try:
                async with self._lease(key) as runner:
                    return await runner.invoke(root, verb, context, timeout)
            except NotCalled:
                if self._clock.monotonic() - began > timeout:
                    raise

    async def describe(self, key: Key, root: str) -> Description:
        """What a component is. Raises what loading it raises."""
        async with self._lease(key) as runner:
            return await runner.ask(lambda client: client.describe(root, self._patience))

    async def schedule(self, key: Key, root: str, properties: Mapping[str, Json]) -> tuple[Schedule | None, bool]:
        """When a node with these properties is called, and whether at the start too."""
        async with self._lease(key) as runner:
            return await runner.ask(lambda client: client.schedule(root, properties, self._patience))

    async def transform(self, key: Key, root: str, name: str, value: Json) -> Json:
        """The value as a transform of a component leaves it."""
        async with self._lease(key) as runner:
            return await runner.ask(lambda client: client.transform(root, name, value, self._patience))

    async def describe_folder(self, key: Key, folder: str, context: PluginContext | None = None) -> FolderDescription:
        """What a service or a module brings besides components; its plugin only where a context answers it."""
        async with self._lease(key) as runner:
            if context is None:
                return await runner.ask(lambda client: client.describe_folder(folder, "", None, self._patience))
            async with runner.call_of_plugin(context) as call_id:
                return await runner.ask(lambda client: client.describe_folder(folder, call_id, context, PLUGIN_SECONDS))

    async def call_route(self, key: Key, folder: str, asked: WebRequest, context: PluginContext) -> RouteAnswer:
        """What a route of a plugin answers. Raises what the plugin raises."""
        async with self._lease(key) as runner, runner.call_of_plugin(context) as call_id:
            return await runner.ask(
                lambda client: client.call_route(call_id, folder, asked, context, LONGEST_ROUTE_SECONDS)
            )

    async def run_job(self, key: Key, folder: str, job_id: str, context: PluginContext, timeout: float) -> None:
        """Run a job of a plugin. Raises what the job raises."""
        async with self._lease(key) as runner, runner.call_of_plugin(context) as call_id:
            await runner.ask(lambda client: client.run_job(call_id, folder, job_id, context, timeout))

    async def accept_listener(self, key: Key, folder: str, listener: Listener, context: PluginContext) -> Json:
        """What a plugin keeps of what a listener gave along. Raises what the plugin raises."""
        async with self._lease(key) as runner, runner.call_of_plugin(context) as call_id:
            return await runner.ask(
                lambda client: client.accept_listener(call_id, folder, listener, context, PLUGIN_SECONDS)
            )

    async def call_auth(
        self, key: Key, folder: str, name: str, given: Mapping[str, Json], session: str = ""
    ) -> Json | Absent:
        """What a member of an auth module comes to. Calls of one session share what it keeps. Raises what it does."""
        async with self._lease(key) as runner:
            return await runner.ask(lambda client: client.call_auth(folder, name, given, session, AUTH_SECONDS))

    @property
    def pids(self) -> Mapping[Key, int]:
        """The processes that are there."""
        return {key: runner.pid for key, runner in self._runners.items()}

    @property
    def _patience(self) -> float:
        return self.settings.hang_after.total_seconds()

    # Having one.

    @asynccontextmanager
    async def _lease(self, key: Key) -> AsyncIterator[Runner]:
        runner = await self._runner(key)
        try:
            with runner.using():
                yield runner
        finally:
            if runner.is_retiring and not runner.in_use:
                self._let_go(runner)
            async with self._moved:
                self._moved.notify_all()

    async def _runner(self, key: Key) -> Runner:
        found = self._runners.get(key)
        if found is not None and found.is_alive and not found.is_retiring:
            return found
        task = self._starting.get(key)
        if task is None:
            task = asyncio.create_task(self._start(key))
            self._starting[key] = task
            task.add_done_callback(lambda _: self._starting.pop(key, None))
        return await asyncio.shield(task)

    async def _start(self, key: Key) -> Runner:
        if self._bundles is None:
            raise TransientError("This executor is not running yet: no component can be hosted.")
        former = self._runners.pop(key, None)
        if former is not None and not former.in_use:
            self._let_go(former)
        tenant, bundle_id, is_for_suspects, language = key
        command = await self._languages.command(language)
        await self._make_room()
        number = next(self._numbers)
        try:
            in_use = {each.bundle_id for each in [*self._runners, *self._starting]}
            bundle = await self._bundles.folder(bundle_id, in_use)
        except NotFound:
            raise
        except HeadraceError as error:
            raise TransientError(f"The bundle {bundle_id[:12]} cannot be had: {error}") from error
        name = f"bundle {bundle_id[:12]} of {tenant}"
        settings = replace(self.settings, calls=1) if is_for_suspects else self.settings
        hosts = await asyncio.to_thread(hosts_of, bundle) or self.settings.hosts
        policy = replace(self._policy, allowed_hosts=() if self._trusts_hosts else hosts)
        runner = Runner(name, bundle, self._folder / str(number), command, settings, policy, self._clock)
        await runner.start()
        self._started.inc()
        self._living.add(runner)
        self._runners[key] = runner
        return runner

    async def _make_room(self) -> None:
        """Wait until one more process may be there, and end one that is idle if that helps."""
        try:
            async with asyncio.timeout(self.settings.start_within.total_seconds()), self._moved:
                while len(self._living) + len(self._starting) > self.settings.most:
                    idle = [(each.last_used, key) for key, each in self._runners.items() if not each.in_use]
                    if idle:
                        self._let_go(self._runners.pop(min(idle)[1]))
                    else:
                        await self._moved.wait()
        except TimeoutError:
            raise TransientError(
                f"All {self.settings.most} processes for published components are busy (HEADRACE_RUNNERS)."
            ) from None

    # Letting go.

    async def _look(self) -> None:
        """End what is idle or worn out."""
        worn_out = WORN_OUT * self.settings.cpu.total_seconds()
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            idle_since = self._clock.monotonic() - self.settings.idle.total_seconds()
            for key, runner in list(self._runners.items()):
                is_idle = not runner.in_use and runner.last_used < idle_since
                if is_idle or runner.is_retiring or not runner.is_alive or runner.cpu_seconds() > worn_out:
                    del self._runners[key]
                    runner.is_retiring = True
                    if not runner.in_use:
                        self._let_go(runner)
            async with self._moved:
                self._moved.notify_all()

    def _let_go(self, runner: Runner) -> None:
        if runner not in self._living:
            return
        self._living.discard(runner)
        task = asyncio.create_task(runner.stop("nobody needs it"))
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _stop_all(self) -> None:
        starting = list(self._starting.values())
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        runners, self._living = self._living, set()
        self._runners.clear()
        async with asyncio.TaskGroup() as tasks:
            for runner in runners:
                tasks.create_task(runner.stop("the executor stops"))
        await asyncio.gather(*self._going, return_exceptions=True)
