"""Call a component once and look at what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

from headrace_core import Json

from headrace_sdk.component import Component, carry_out
from headrace_sdk.context import JsonObject, LogLevel, Message
from headrace_sdk.testing.world import (
    Envelope,
    FlowCall,
    HttpHandler,
    Identity,
    MemoryContext,
    Response,
    Timeout,
    World,
)


class Who(TypedDict, total=False):
    """Fields of `Identity` that a test may choose."""

    tenant_id: str
    flow_id: str
    flow_name: str
    node_id: str
    component_type: str
    label: str
    run_id: str
    correlation_id: str
    attempt: int
    flow_descriptor: JsonObject
    custom_fields: JsonObject


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of a component did. The states are those after the call."""

    outputs: list[tuple[str, Json]]
    envelopes: dict[int, Envelope]  # of outputs that have one, by their places
    responses: list[Response]
    logs: list[tuple[LogLevel, str | JsonObject]]
    timeouts: list[Timeout]
    calls: list[FlowCall]
    answers: list[Json]
    wakes: list[tuple[str, Json]]
    signals: list[Json]
    stopped: bool
    state: JsonObject
    run_state: JsonObject
    flow_state: JsonObject
    service_state: JsonObject
    world: World

    def on(self, port: str) -> list[Json]:
        """What left this out-port, in order."""
        return [value for left, value in self.outputs if left == port]


async def run_component(
    component: Component | type[Component],
    *,
    port: str = "in",
    content: Json = None,
    properties: Mapping[str, Json] | None = None,
    messages: Mapping[str, Sequence[Message]] | None = None,
    state: JsonObject | None = None,
    http: HttpHandler | None = None,
    world: World | None = None,
    step_id: str | None = None,
    out_ports: Sequence[str] | None = None,
    scope: JsonObject | None = None,
    **who: Unpack[Who],
) -> Outcome:
    """Call `receive` once. What the component raises is raised here, and nothing of the step is kept then.

    `content` arrives on `port`. `messages` are what was sent, where that differs from the filled input.
    `state` is put into the node's state first. Calls with one `world` share states, stores, files and
    clock; a call with the `step_id` of an earlier one is its repetition. `out_ports` are the names the
    manifest has; sending elsewhere fails as in the engine. `scope` is what led to what arrives.
    """
    if messages is None:
        messages = {port: [Message(content, "source", "out", who.get("correlation_id", "correlation"))]}
    arrived = messages.get(port, ())
    if content is None and arrived:
        content = arrived[0].content
    context = MemoryContext(
        _prepared(world, http),
        Identity(**who),
        step_id=step_id,
        port=port,
        content=content,
        messages={name: list(each) for name, each in messages.items()},
        properties=dict(properties or {}),
        out_ports=out_ports,
        scope=scope,
    )
    context.world.room(*context.owner).values.update(state or {})
    await carry_out(_instance(component).receive(context), context)
    return await _outcome(context)


async def run_tick(
    component: Component | type[Component],
    *,
    properties: Mapping[str, Json] | None = None,
    http: HttpHandler | None = None,
    world: World | None = None,
    **who: Unpack[Who],
) -> Outcome:
    """Call `tick` once, else like `run_component`."""
    context = MemoryContext(_prepared(world, http), Identity(**who), port="tick", properties=properties)
    await carry_out(_instance(component).tick(context), context)
    return await _outcome(context)


async def run_start(
    component: Component | type[Component],
    *,
    properties: Mapping[str, Json] | None = None,
    http: HttpHandler | None = None,
    world: World | None = None,
    **who: Unpack[Who],
) -> Outcome:
    """Call `start` once, else like `run_component`."""
    context = MemoryContext(_prepared(world, http), Identity(**who), port="start", properties=properties)
    await _instance(component).start(context)
    return await _outcome(context)


def _prepared(world: World | None, http: HttpHandler | None) -> World:
    world = world or World()
    if http is not None:
        world.http = http
    return world


def _instance(component: Component | type[Component]) -> Component:
    return component() if isinstance(component, type) else component


async def _outcome(context: MemoryContext) -> Outcome:
    context.commit()
    return Outcome(
        outputs=context.outputs,
        envelopes=context.envelopes,
        responses=context.responses,
        logs=context.logs,
        timeouts=context.timeouts,
        calls=context.calls,
        answers=context.answers,
        wakes=context.wakes,
        signals=context.signals,
        stopped=context.stopped,
        state=await context.state.all(),
        run_state=await context.run_state.all(),
        flow_state=await context.flow_state.all(),
        service_state=await context.service_state.all(),
        world=context.world,
    )
