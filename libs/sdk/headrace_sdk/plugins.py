"""What a plugin is written with, besides its routes: jobs, events that its service's nodes hear of, and collections.

    from headrace_sdk.plugins import Listener, PluginContext, accepts_listeners, job

    @job("clean-up", "0 3 * * *")
    async def clean_up(context: PluginContext) -> None:
        await context.collection("storms").delete_many({"over": True})

    @accepts_listeners
    async def accept(listener: Listener, context: PluginContext) -> Json:
        return listener.params

A plugin is the module `routes.py` of a service or of a module; it is one for the whole installation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias, TypeVar

from headrace_core import Json

from headrace_sdk.collections import Collection
from headrace_sdk.context import Cache, Files, Http, JsonObject, Lock, LogLevel, State, Stores


@dataclass(frozen=True, slots=True)
class Listener:
    """A node that hears of an event, with what it gave along."""

    event: str
    params: Json
    flow_id: str
    node_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Triggered:
    """What a flow answered; 202 where it was only accepted."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None


class PluginContext(Protocol):
    """What a plugin may do: as itself, in nobody's name."""

    @property
    def config(self) -> JsonObject:
        """What administrators stored for the service."""
        ...

    @property
    def api_url(self) -> str:
        """Address of the platform's API, for everybody."""
        ...

    @property
    def service_state(self) -> State: ...
    @property
    def store(self) -> Stores: ...
    @property
    def files(self) -> Files: ...
    @property
    def http(self) -> Http: ...
    @property
    def cache(self) -> Cache: ...

    def collection(self, name: str) -> Collection:
        """Documents that the service keeps. Raises `CancelError` for what is no name."""
        ...

    async def listeners(self, event: str) -> Sequence[Listener]:
        """Which nodes hear of an event."""
        ...

    async def trigger_listeners(
        self, event: str, payload: Json, wanted: Callable[[Listener], bool] = lambda listener: True
    ) -> int:
        """Fire the nodes that hear of an event, with the payload as data of their webhooks; how many were fired.

        One that is not there any more keeps no other from hearing.
        """
        ...

    async def trigger(
        self,
        flow_id: str,
        node_id: str,
        data: Json,
        *,
        method: str = "POST",
        query: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        hostname: str = "",
        correlation_id: str = "",
        waits: bool = True,
    ) -> Triggered:
        """Fire a node of the service as a call of its webhook does. With `waits` its flow's answer.

        Raises `CancelError` for a node that is none of the service's, or does not run.
        """
        ...

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None: ...

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[Lock]:
        """Hold a lock that all of the service shares. Raises `LockUnavailable`."""
        ...


Work: TypeAlias = Callable[[PluginContext], Awaitable[None]]
Acceptance: TypeAlias = Callable[[Listener, PluginContext], Awaitable[Json]]
AnyWork = TypeVar("AnyWork", bound=Work)
AnyAcceptance = TypeVar("AnyAcceptance", bound=Acceptance)


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done in a rhythm."""

    job_id: str
    cron: str
    work: Work


def job(job_id: str, cron: str) -> Callable[[AnyWork], AnyWork]:
    """Mark a function as a job: a cron in five fields, or in six that begin with a second.

    Each due time is carried out once over all executors. One whose process ends in the middle is begun again, so a job
    does no harm when it is done twice.
    """

    def mark(work: AnyWork) -> AnyWork:
        setattr(work, JOBS, [*getattr(work, JOBS, ()), Job(job_id, cron, work)])
        return work

    return mark


def accepts_listeners(acceptance: AnyAcceptance) -> AnyAcceptance:
    """Mark the function that is asked when a node wants to hear of an event: what it answers is kept as `params`.

    What it raises, the node's `listen` raises. Without such a function everybody may listen.
    """
    setattr(acceptance, ACCEPTS, True)
    return acceptance


JOBS = "headrace_jobs"
ACCEPTS = "headrace_accepts_listeners"
"""The attributes in which functions keep what they are marked as."""
