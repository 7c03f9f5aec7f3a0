"""Calls of components: each in a task of its own, and ended when the executor says so. It bounds their number too."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Literal, TypeVar

from headrace_core import Json, schedules
from headrace_core.errors import BadRequest, Unsupported
from headrace_runtime.failures import Failure, failure_of
from headrace_sdk import Component
from headrace_sdk.caching import MemoryCache
from headrace_sdk.component import Work, carry_out
from headrace_sdk.context import Http, Tcp
from headrace_sdk.errors import ComponentError

from headrace_runner import output
from headrace_runner.asking import Ask
from headrace_runner.auth import AuthModules
from headrace_runner.context import Done, RunnerContext, Told
from headrace_runner.folders import Folders
from headrace_runner.loading import Bundle
from headrace_runner.plugins import HostPluginContext

VerbName = Literal["receive", "tick", "start", "stop", "reconcile", "signal", "test"]
VERBS: tuple[VerbName, ...] = ("receive", "tick", "start", "stop", "reconcile", "signal", "test")

LONGEST_TRACE = 2_000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Description:
    """What the engine has to know of a component."""

    fires_on_start: bool
    answers_caller: bool
    hears_errors: bool
    has_schedule: bool
    verbs: tuple[VerbName, ...]
    transforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call."""

    done: Done
    failure: Failure | None = None
    happened: bool | None = None


class Calls:
    """The calls of one runner."""

    def __init__(self, bundle: Bundle, http: Http, tcp: Tcp) -> None:
        self._bundle = bundle
        self._http = http
        self._tcp = tcp
        self._cache = MemoryCache()  # the process hosts one service, for one tenant
        self.auth = AuthModules(bundle, http, tcp)
        self.folders = Folders(bundle, self.auth, http, self._cache)
        self._tasks: dict[str, asyncio.Task[object]] = {}

    @property
    def count(self) -> int:
        return len(self._tasks)

    def describe(self, root: str) -> Description:
        """Load a component and look at it. Raises what loading raises."""
        component = self._bundle.component(root)
        return Description(
            fires_on_start=bool(component.fires_on_start),
            answers_caller=bool(component.answers_caller),
            hears_errors=bool(component.hears_errors),
            has_schedule=_overrides(component, "schedule"),
            verbs=tuple(verb for verb in VERBS if _overrides(component, verb)),
            transforms=tuple(sorted(component.transforms)),
        )

    def schedule(self, root: str, properties: Mapping[str, Json]) -> tuple[Json, bool]:
        """When a node with these properties is called, as it is stored, and whether at the start too."""
        component = self._bundle.component(root)
        found = component.schedule(properties)
        stored: Json = None if found is None else schedules.to_json(found)
        return stored, bool(component.fire_immediately(properties))

    async def transform(self, root: str, name: str, value: Json) -> Json:
        """The value as a transform leaves it: one of the component's own by name, or `./file#name` of the bundle."""
        made = self._bundle.transform(root, name)(value)
        return await made if isawaitable(made) else made

    async def invoke(self, call_id: str, root: str, verb: VerbName, told: Told, ask: Ask) -> Result:
        """Call a component. What it raises is in the result; only a cancelled call raises."""
        task = asyncio.current_task()
        if task is None or call_id in self._tasks:
            raise BadRequest("A call has one id, and no other call has it.")
        self._tasks[call_id] = task
        try:
            return await self._invoke(root, verb, RunnerContext(told, ask, self._http, self._tcp, self._cache))
        finally:
            del self._tasks[call_id]

    async def plugged(self, call_id: str, context: HostPluginContext, work: Awaitable[Found]) -> Found:
        """Do something of a plugin under the id of a call. Raises what it raises."""
        task = asyncio.current_task()
        if task is None or call_id in self._tasks:
            raise BadRequest("A call has one id, and no other call has it.")
        self._tasks[call_id] = task
        token = output.of_the_call.set(lambda line: context.log(line, "debug"))
        try:
            return await work
        finally:
            output.of_the_call.reset(token)
            del self._tasks[call_id]

    async def cancel(self, call_id: str) -> None:
        """End a call and wait until nothing of it runs any more. Unknown ones do no harm."""
        task = self._tasks.get(call_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _invoke(self, root: str, verb: VerbName, context: RunnerContext) -> Result:
        token = output.of_the_call.set(lambda line: context.log(line, "debug"))
        try:
            happened = await carry_out(self._method(root, verb)(context), context)
            return Result(context.done, happened=happened if verb == "reconcile" else None)
        except Exception as error:
            if not isinstance(error, ComponentError):
                context.log(self._trace(error), "error")
            return Result(Done(logs=context.done.logs), failure_of(error))
        finally:
            output.of_the_call.reset(token)

    def _method(self, root: str, verb: VerbName) -> Callable[[RunnerContext], Work]:
        component = self._bundle.component(root)
        found: Callable[[RunnerContext], Work] | None = getattr(component, verb, None)
        if found is None:
            raise Unsupported(f"{root} has no method {verb}.")
        return found

    def _trace(self, error: Exception) -> str:
        """Where in the bundle it happened."""
        own = str(self._bundle.folder)
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(own)]
        places = [f"{each.filename[len(own) + 1 :]}, line {each.lineno}, in {each.name}" for each in frames[-10:]]
        return f"{type(error).__name__} at {' > '.join(places) or 'a place outside the bundle'}"[:LONGEST_TRACE]


def _overrides(component: Component, name: str) -> bool:
    return getattr(type(component), name, None) is not getattr(Component, name, None)
