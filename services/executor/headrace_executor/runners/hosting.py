"""Plugins in the runners that host their code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from headrace_core.errors import BadRequest, Unavailable
from headrace_core.expressions import Json
from headrace_sdk.errors import CancelError, TransientError

from headrace_executor.context import Doors
from headrace_executor.hearing import Listener
from headrace_executor.plugins import RouteAnswer, Speech, WebRequest, tenant_of
from headrace_executor.ports import PluginPlace, ServicePlugins
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.pool import Key, Runners


class PublishedPlugins:
    """Keeps `plugins.PluginHost`."""

    def __init__(self, runners: Runners, doors: Doors) -> None:
        self._runners = runners
        self._doors = doors

    async def route(self, found: ServicePlugins, place: PluginPlace, asked: WebRequest) -> RouteAnswer:
        return await self._runners.call_route(_key(found, place), place.folder, asked, self._context(found))

    async def describe(self, found: ServicePlugins, place: PluginPlace) -> Mapping[str, Json]:
        try:
            described = await self._runners.describe_folder(_key(found, place), place.folder, self._context(found))
        except TransientError as error:
            raise Unavailable(f"The plugin of {place.folder} cannot be looked at now: {error}") from error
        except CancelError as error:
            raise BadRequest(f"The plugin of {place.folder} cannot be started: {error}") from error
        for file, failure in described.failures.items():
            if file in ("plugin.js", "routes.py"):
                raise BadRequest(f"{place.folder}/{file} cannot be started: {failure.message}")
        return described.plugin or {}

    async def job(self, found: ServicePlugins, place: PluginPlace, job_id: str, within: timedelta) -> None:
        seconds = within.total_seconds()
        await self._runners.run_job(_key(found, place), place.folder, job_id, self._context(found), seconds)

    async def listener(self, found: ServicePlugins, place: PluginPlace, listener: Listener) -> Json:
        return await self._runners.accept_listener(_key(found, place), place.folder, listener, self._context(found))

    def _context(self, found: ServicePlugins) -> PluginContext:
        return PluginContext(self._doors, tenant_of(found.service), found.service, found.config, Speech(found).all)


def _key(found: ServicePlugins, place: PluginPlace) -> Key:
    if not place.language:
        raise BadRequest(f"The plugin of {place.folder} is written in a language of another release.")
    return Key(tenant_of(found.service), found.bundle_id, language=place.language)
