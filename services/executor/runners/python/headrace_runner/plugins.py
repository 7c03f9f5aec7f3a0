"""The context of a plugin in a runner: everything that it asks for goes to the executor with the call under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, cast

from headrace_core import Json
from headrace_sdk.collections import Collection, Collections
from headrace_sdk.context import Cache, Http, JsonObject, LogLevel
from headrace_sdk.errors import ComponentError
from headrace_sdk.plugins import Listener, Triggered

from headrace_runner.asking import Ask, HostFiles, HostLock, HostState, HostStores, as_json, held

MAX_LOGS = 100
AT_ONCE = 16


class HostPluginContext:
    """Implements `headrace_sdk.plugins.PluginContext`."""

    def __init__(self, ask: Ask, http: Http, cache: Cache, config: JsonObject, api_url: str) -> None:
        self._ask = ask
        self.config = config
        self.api_url = api_url
        self.http = http
        self.cache = cache
        self.service_state = HostState(ask, "service")
        self.store = HostStores(ask)
        self.files = HostFiles(ask)
        self.logs: list[tuple[str, bytes]] = []
        self._collections = Collections(self.store, self.lock)

    def collection(self, name: str) -> Collection:
        return self._collections(name)

    async def listeners(self, event: str) -> Sequence[Listener]:
        found = cast("list[dict[str, Any]]", await self._ask.listen("list", event, None))
        return [listener_of(each) for each in found]

    async def trigger_listeners(
        self, event: str, payload: Json, wanted: Callable[[Listener], bool] = lambda listener: True
    ) -> int:
        room = asyncio.Semaphore(AT_ONCE)

        async def fire(listener: Listener) -> bool:
            async with room:
                return await self._fire(listener, payload)

        listening = [each for each in await self.listeners(event) if wanted(each)]
        return sum(await asyncio.gather(*(fire(each) for each in listening)))

    async def _fire(self, listener: Listener, payload: Json) -> bool:
        where = f"{listener.flow_id}/{listener.node_id}"
        content: JsonObject = {"method": "POST", "data": payload, "query": {}, "headers": {}, "hostname": ""}
        try:
            await self._ask.trigger(listener.flow_id, listener.node_id, content, "", False, listener.event)
        except ComponentError as error:
            said: JsonObject = {"message": f"{where} does not hear of {listener.event}", "data": str(error)}
            self.log(said, "warning")
            return False
        return True

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
        content: JsonObject = {
            "method": method,
            "data": data,
            "query": dict(query or {}),
            "headers": dict(headers or {}),
            "hostname": hostname,
        }
        found = cast("dict[str, Any]", await self._ask.trigger(flow_id, node_id, content, correlation_id, waits, ""))
        return Triggered(int(found["statusCode"]), dict(found["headers"]), found["body"])

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        if len(self.logs) < MAX_LOGS:
            self.logs.append((level, as_json(message, "what is logged")))

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[HostLock]:
        return held(self._ask, name, ttl, retry_delay, retries)


def listener_of(said: Mapping[str, Any]) -> Listener:
    """A listener as the executor tells of it."""
    names = ("flowId", "componentId", "userId")
    return Listener(str(said["eventName"]), said.get("params"), *(str(said.get(name, "")) for name in names))
