"""Plugins of published services: their routes answer HTTP requests.

A plugin is one for the whole installation, as the service that it belongs to is: it acts as a tenant of its own and
reaches nothing of anybody's. Who calls is told by id and address only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Protocol

import orjson
from headrace_core.errors import DeadlineExceeded, HeadraceError, Internal, NotFound, RateLimited, Unavailable
from headrace_core.expressions import Json
from headrace_sdk.context import JsonObject
from headrace_sdk.errors import TransientError

from headrace_executor.hearing import Listener
from headrace_executor.ports import Catalog, PluginPlace, ServicePlugins
from headrace_executor.redaction import Secrets
from headrace_executor.retry import describe

AT_ONCE: Final = 32
"""Requests that the plugins of one service answer at the same time."""

LONGEST_ANSWER: Final = 16 * 1024 * 1024
LONGEST_LINE: Final = 4_000
SHORTEST_SECRET: Final = 6

_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

logger = logging.getLogger(__name__)


def tenant_of(service: str) -> str:
    """The tenant that the plugins of a service act as."""
    return f"plugin:{service}"


@dataclass(frozen=True, slots=True)
class WebRequest:
    """An HTTP request for a route of a plugin."""

    method: str
    path: str  # below the plugin's own, with a slash in front
    headers: dict[str, str] = field(default_factory=dict)
    query: JsonObject = field(default_factory=dict)
    body: bytes = b""
    user: JsonObject | None = None  # id and email of who is signed in
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """What a route answered."""

    status: int
    headers: dict[str, str]
    body: bytes


Logs = Sequence[tuple[str, Json]]
"""What a plugin said, by level."""


class PluginHost(Protocol):
    """Where plugins run. What they say is in the log before anything is answered or raised."""

    async def route(self, found: ServicePlugins, place: PluginPlace, asked: WebRequest) -> RouteAnswer:
        """What a route answers. Raises what the plugin raises."""
        ...

    async def describe(self, found: ServicePlugins, place: PluginPlace) -> Mapping[str, Json]:
        """Its routes and jobs. Raises BadRequest when it cannot be started, Unavailable."""
        ...

    async def job(self, found: ServicePlugins, place: PluginPlace, job_id: str, within: timedelta) -> None:
        """Run a job. Raises what the job raises."""
        ...

    async def listener(self, found: ServicePlugins, place: PluginPlace, listener: Listener) -> Json:
        """What is kept of what a listener gave along. Raises what the plugin raises."""
        ...


class Plugins:
    """Calls routes of plugins, at the content that is published now."""

    def __init__(self, catalog: Catalog, host: PluginHost) -> None:
        self._catalog = catalog
        self._host = host
        self._under_way: Counter[str] = Counter()

    async def call(self, service: str, caller: str, asked: WebRequest, within: timedelta) -> RouteAnswer:
        """What the plugin at the path answers. `caller` is the user who is signed in, or "".

        Raises NotFound where there is none that the caller may see, RateLimited, DeadlineExceeded, Unavailable for what
        may pass, and Internal when the plugin fails.
        """
        found = await self._catalog.plugins(service, caller)
        place, path = _place(found, asked.path)
        with self._counted(service):
            try:
                async with asyncio.timeout(within.total_seconds()):
                    return await self._call(found, place, replace(asked, path=path))
            except TimeoutError:
                said = f"The plugin of {service} did not answer within {within.total_seconds():g} s."
                raise DeadlineExceeded(said) from None

    async def _call(self, found: ServicePlugins, place: PluginPlace, asked: WebRequest) -> RouteAnswer:
        said = Speech(found)
        try:
            answer = await self._host.route(found, place, asked)
        except (TimeoutError, DeadlineExceeded):
            raise
        except Exception as error:  # of somebody else's plugin
            said.failed(f"{asked.method} {asked.path}", error)
            if is_passing(error):
                raise Unavailable(f"The plugin of {found.service} cannot answer now: {describe(error)}") from error
            raise Internal(f"The plugin of {found.service} failed.") from error
        if problem := _problem_of(answer):
            said.line("error", f"{asked.method} {asked.path} is answered with {problem}.")
            raise Internal(f"The plugin of {found.service} answers with {problem}.")
        return answer

    @contextmanager
    def _counted(self, service: str) -> Iterator[None]:
        if self._under_way[service] >= AT_ONCE:
            raise RateLimited(f"{AT_ONCE} calls of the plugin of {service} are under way. Wait a moment.")
        self._under_way[service] += 1
        try:
            yield
        finally:
            self._under_way[service] -= 1
            self._under_way += Counter()  # those without calls go


class Speech:
    """What a plugin says stands in the log of this service, without the secrets of its configuration."""

    def __init__(self, found: ServicePlugins) -> None:
        self._service = found.service
        self._secrets = Secrets(_texts(found.config))

    def all(self, logs: Logs) -> None:
        """Lines of one call."""
        for level, message in logs:
            self.line(level, message)

    def failed(self, what: str, error: Exception) -> None:
        """Say what failed at what."""
        self.line("error", f"{what} failed: {describe(error)}")

    def line(self, level: str, message: Json) -> None:
        """One line."""
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        shown = self._secrets.text(text[:LONGEST_LINE])
        logger.log(_LEVELS.get(level, logging.INFO), "plugin of %s: %s", self._service, shown)


def is_passing(error: Exception) -> bool:
    """Whether the same may be answered when it is asked again, and the plugin did nothing wrong."""
    return isinstance(error, TransientError) or (isinstance(error, HeadraceError) and error.is_temporary)


def _problem_of(answer: RouteAnswer) -> str:
    """What keeps an answer from going out; nothing where it may."""
    if not 200 <= answer.status <= 599:
        return f"status {answer.status}"
    size = len(answer.body)
    return f"{size} bytes, and {LONGEST_ANSWER} are allowed" if size > LONGEST_ANSWER else ""


def _place(found: ServicePlugins, path: str) -> tuple[PluginPlace, str]:
    """The plugin that a path below the service's leads to, and the path below its own: a module's before the service's.

    Raises NotFound.
    """
    first, _, rest = path.removeprefix("/").partition("/")
    folder = found.service.replace(".", "/")
    by_folder = {each.folder: each for each in found.places}
    if (of_module := by_folder.get(f"{folder}/{first}")) is not None:
        return of_module, f"/{rest}"
    if (of_service := by_folder.get(folder)) is not None:
        return of_service, path
    raise NotFound("plugin", f"{folder}{path}"[:200])


def _texts(value: Json | Mapping[str, Json]) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= SHORTEST_SECRET:
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
