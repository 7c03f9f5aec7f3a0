"""What a plugin may ask for while a route or a job of it is called: it is of a service, and of no flow, node or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

import orjson
from headrace_core.errors import BadRequest, Forbidden, NotFound, TooLarge, ValidationFailed
from headrace_core.expressions import Json
from headrace_core.flow import normalize_type, parse_descriptor
from headrace_core.ids import new_id
from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError

from headrace_executor.context import Doors, StaticCall, called
from headrace_executor.doors import DoorToFiles, DoorToStores, HeldLock
from headrace_executor.hearing import Trigger
from headrace_executor.keeping import MAX_VALUE_BYTES
from headrace_executor.model import StateChange
from headrace_executor.plugins import Logs


class PluginContext:
    """Answers the questions of one call of a plugin of `vendor.service`, for one tenant."""

    def __init__(
        self,
        doors: Doors,
        tenant_id: str,
        service: str,
        config: Mapping[str, Json] | None = None,
        say: Callable[[Logs], None] = lambda logs: None,
    ) -> None:
        self.config: Mapping[str, Json] = config or {}
        self.api_url = doors.public_url
        self.say = say
        self._doors = doors
        self._tenant_id = tenant_id
        self._service = service
        self._call_id = new_id()
        self._draws = 0

    def answering(self, number: int) -> None:
        """See `StepContext.answering`."""
        self._draws = number << 16

    @property
    def service_state(self) -> ServiceState:
        return ServiceState(self._doors, f"{self._tenant_id}/service/{self._service}", self.lock)

    @property
    def state(self) -> NoReturn:
        raise CancelError("A plugin has no state of a node: keep it in the state of its service.")

    @property
    def flow_state(self) -> NoReturn:
        raise CancelError("A plugin has no state of a flow: keep it in the state of its service.")

    @property
    def run_state(self) -> NoReturn:
        raise CancelError("A plugin is not part of a run.")

    async def call(
        self,
        component_type: str,
        port: str = "out",
        *,
        messages: Mapping[str, Json] | None = None,
        properties: Mapping[str, Json] | None = None,
        transform: str = "",
    ) -> Json:
        asked = StaticCall(
            tenant_id=self._tenant_id,
            type=component_type,
            out_port=port,
            messages=messages or {},
            properties=properties or {},
            transform=transform,
        )
        return await called(self._doors, asked)

    async def call_api(self, method: str, end_point: str, query: Mapping[str, Json], body: Json) -> Json:
        raise CancelError("A plugin calls the API in nobody's name: use its own stores, collections and components.")

    async def send_signal(self, content: Json) -> None:
        raise CancelError("A plugin is in no flow that could hear a signal.")

    async def listen(self, event: str, params: Json) -> None:
        raise CancelError("A plugin has no node that could listen.")

    async def unlisten(self, event: str) -> None:
        raise CancelError("A plugin has no node that could listen.")

    async def listeners(self, event: str) -> Json:
        """Who listens to an event, as plugins see it."""
        found = await self._doors.hearing().of(self._service, event)
        return [
            {
                "eventName": each.event,
                "params": each.params,
                "flowId": each.flow_id,
                "componentId": each.node_id,
                "userId": each.tenant_id,
            }
            for each in found
        ]

    async def trigger(self, asked: Trigger) -> Json:
        """Fire a node of the service; what its flow answered."""
        trigger = replace(asked, event_id=f"plugin:{self._next_id()}")
        try:
            found = await self._doors.hearing().trigger(self._service, trigger)
        except (BadRequest, Forbidden, NotFound, TooLarge, ValidationFailed) as error:
            raise CancelError(str(error)) from error
        return {"statusCode": found.status, "headers": dict(found.headers), "body": found.body}

    @property
    def store(self) -> DoorToStores:
        return DoorToStores(self._doors.stores, self._tenant_id, "", "", self._next_id)

    @property
    def files(self) -> DoorToFiles:
        return DoorToFiles(self._doors.files, self._tenant_id, self._next_id)

    async def scope(self) -> NoReturn:
        raise CancelError("Nothing led to a plugin: it is part of no run.")

    async def flow(self, flow_id: str) -> Json:
        """A flow that has a component of the service; None where there is none."""
        try:
            found = await self._doors.flows.resolve(flow_id, 0)
        except NotFound:
            return None
        types = [normalize_type(node.type) for node in parse_descriptor(found.descriptor).nodes.values()]
        if not any(each.startswith(normalize_type(f"{self._service}.")) for each in types):
            return None
        stage = "running" if found.is_active else "stopped"
        return {"flowId": found.flow_id, "name": found.name, "stage": stage, "userId": found.tenant_id}

    def offers(self, node_id: str) -> NoReturn:
        raise CancelError("A plugin is in no flow that would have variables.")

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        raise CancelError("A plugin has no out-port.")

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        raise CancelError("A plugin sets no timeouts: schedule a job.")

    async def clear_timeout(self, timeout_id: str) -> None:
        raise CancelError("A plugin sets no timeouts: schedule a job.")

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[HeldLock]:
        full = f"{self._tenant_id}/{self._service}/{name}"
        holder = f"{self._call_id}.{self._next_id()}"
        return HeldLock(self._doors.schedules, self._doors.clock, full, holder, ttl, retry_delay, retries)

    def _next_id(self) -> str:
        self._draws += 1
        return f"{self._call_id}.{self._draws}"


class ServiceState:
    """Implements `headrace_sdk.State` outside of runs: every write is durable at once.

    What depends on the former value is written under a lock of its key.
    """

    def __init__(self, doors: Doors, scope: str, lock: Callable[[str], AbstractAsyncContextManager[HeldLock]]) -> None:
        self._state = doors.state
        self._scope = scope
        self._lock = lock

    async def get(self, key: str, default: Json = None) -> Json:
        return (await self._state.read_state(self._scope)).get(key, default)

    async def all(self) -> JsonObject:
        return await self._state.read_state(self._scope)

    async def set(self, key: str, value: Json) -> None:
        packed = orjson.dumps(value)
        if len(packed) > MAX_VALUE_BYTES:
            raise CancelError(f"The state under {key!r} would have {len(packed):,} bytes: {MAX_VALUE_BYTES:,} fit.")
        await self._write(StateChange(self._scope, "set", key, packed))

    async def unset(self, key: str) -> None:
        await self._write(StateChange(self._scope, "unset", key))

    async def clear(self) -> None:
        await self._write(StateChange(self._scope, "clear"))

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        async with self._lock(f"state/{key}"):
            found = await self.get(key, 0)
            if isinstance(found, bool) or not isinstance(found, int | float):
                raise CancelError(f"{key!r} is no number.")
            await self.set(key, found + by)
            return found + by

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        async with self._lock(f"state/{key}"):
            found = await self._list(key)
            if value not in found:
                found.append(value)
                await self.set(key, found)
            return found

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        async with self._lock(f"state/{key}"):
            found = await self._list(key)
            kept = [each for each in found if each != value]
            if len(kept) != len(found):
                await self.set(key, kept)
            return kept

    async def _list(self, key: str) -> list[Json]:
        found = await self.get(key, [])
        if not isinstance(found, list):
            raise CancelError(f"{key!r} is no list.")
        return list(found)

    async def _write(self, *changes: StateChange) -> None:
        await self._state.write_state(changes)
