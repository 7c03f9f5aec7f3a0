"""Keeps who listens to which events of plugins, and fires nodes for plugins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import orjson
from headrace_core.errors import Forbidden, NotFound, TooLarge
from headrace_core.expressions import Json
from headrace_core.flow import normalize_type

from headrace_executor.hearing import Listener, Trigger, Triggered
from headrace_executor.model import StateChange
from headrace_executor.plans import Plans
from headrace_executor.plugins import PluginHost, tenant_of
from headrace_executor.ports import Catalog, PluginPlace, ServicePlugins
from headrace_executor.redaction import Secrets
from headrace_executor.service import Event, ExecutionService
from headrace_executor.store import StateStore

MOST_LISTENERS: Final = 10_000
"""Of one event of one service."""

LONGEST_NAME: Final = 500
LONGEST_PARAMS: Final = 64 * 1024
ANSWER_WITHIN: Final = timedelta(seconds=10)


class Listening:
    """Keeps `hearing.Hearing`. Listeners are in the executor's store, under the plugin's own tenant."""

    def __init__(
        self, catalog: Catalog, host: PluginHost, state: StateStore, plans: Plans, service: ExecutionService
    ) -> None:
        self._catalog = catalog
        self._host = host
        self._state = state
        self._plans = plans
        self._service = service

    async def add(self, listener: Listener, secrets: Sequence[str]) -> None:
        if not 0 < len(listener.event) <= LONGEST_NAME:
            raise TooLarge(f"The name of an event has 1 to {LONGEST_NAME} characters.")
        scope = _scope(listener.service, listener.event)
        known = await self._state.read_state(scope)
        if len(known) >= MOST_LISTENERS and _key(listener) not in known:
            raise TooLarge(f"{MOST_LISTENERS} nodes listen to {listener.event!r} of {listener.service} already.")
        params = await self._accepted(listener)
        kept = orjson.dumps(
            {
                "tenant": listener.tenant_id,
                "flow": listener.flow_id,
                "node": listener.node_id,
                "type": listener.component_type,
                "params": Secrets(secrets).json(params),
            }
        )
        if len(kept) > LONGEST_PARAMS:
            raise TooLarge(f"What a listener gives along has at most {LONGEST_PARAMS} bytes.")
        await self._state.write_state([StateChange(scope, "set", _key(listener), kept)])

    async def remove(self, listener: Listener) -> None:
        scope = _scope(listener.service, listener.event)
        await self._state.write_state([StateChange(scope, "unset", _key(listener))])

    async def of(self, service: str, event: str) -> Sequence[Listener]:
        kept = await self._state.read_state(_scope(service, event))
        return [_listener(event, each) for _, each in sorted(kept.items()) if isinstance(each, dict)]

    async def trigger(self, service: str, trigger: Trigger) -> Triggered:
        try:
            return await self._trigger(service, trigger)
        except NotFound:
            if trigger.event:
                gone = StateChange(_scope(service, trigger.event), "unset", f"{trigger.flow_id}/{trigger.node_id}")
                await self._state.write_state([gone])
            raise

    async def _trigger(self, service: str, trigger: Trigger) -> Triggered:
        plan = await self._plans.active(trigger.flow_id)
        node = plan.nodes.get(trigger.node_id) if plan is not None else None
        if node is None:
            raise NotFound("running node", f"{trigger.flow_id}/{trigger.node_id}"[:200])
        if not normalize_type(node.type).startswith(normalize_type(f"{service}.")):
            raise Forbidden(f"The plugin of {service} fires its own components only, and {node.type} is none.")
        event = Event(
            0,
            trigger.flow_id,
            trigger.node_id,
            "webhook",
            trigger.event_id,
            trigger.correlation_id,
            orjson.dumps(trigger.content),
            trigger.waits,
            ANSWER_WITHIN.total_seconds(),
        )
        [accepted], box = await self._service.accept([event])
        if accepted.refusal is not None:
            raise accepted.refusal
        if trigger.waits:
            async for batch in box.take(ANSWER_WITHIN.total_seconds()):
                for _, answer in batch:
                    return Triggered(answer.status, answer.headers, _body(answer.body))
        return Triggered(202, {}, {"runId": accepted.run_id, "flowId": trigger.flow_id})

    async def _accepted(self, listener: Listener) -> Json:
        """What is kept of what the node gave along: its plugin may say something else, or refuse it."""
        try:
            found = await self._catalog.plugins(listener.service, None)
        except NotFound:
            return listener.params
        place = _place(found, listener.component_type)
        if place is None:
            return listener.params
        return await self._host.listener(found, place, listener)


def _place(found: ServicePlugins, component_type: str) -> PluginPlace | None:
    """The plugin of the component's module, else the one of its service."""
    vendor, service, module, *_ = component_type.split(".")
    by_folder = {each.folder: each for each in found.places}
    return by_folder.get(f"{vendor}/{service}/{module}") or by_folder.get(f"{vendor}/{service}")


def _scope(service: str, event: str) -> str:
    return f"{tenant_of(service)}/listeners/{event}"


def _key(listener: Listener) -> str:
    return f"{listener.flow_id}/{listener.node_id}"


def _listener(event: str, kept: dict[str, Json]) -> Listener:
    tenant, flow, node, component_type = (str(kept[name]) for name in ("tenant", "flow", "node", "type"))
    return Listener(tenant, flow, node, component_type, event, kept.get("params"))


def _body(body: bytes) -> Json:
    try:
        found: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
    return found
