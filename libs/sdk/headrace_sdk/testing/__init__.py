"""Run a component in a test, without the platform.

    outcome = await run_component(Greet, content={"name": "Ada"})
    assert outcome.outputs == [("out", {"text": "Hello Ada"})]

Calls that belong together share a `World`:

    world = World()
    await run_component(Counter, port="item", world=world)
    await run_component(Counter, port="item", world=world)
"""

from headrace_sdk.testing.running import Outcome, run_component, run_start, run_tick
from headrace_sdk.testing.world import (
    ComponentCall,
    ComponentHandler,
    Envelope,
    FlowCall,
    HttpHandler,
    HttpRequest,
    Response,
    Timeout,
    World,
    no_components,
    no_network,
)

__all__ = [
    "ComponentCall",
    "ComponentHandler",
    "Envelope",
    "FlowCall",
    "HttpHandler",
    "HttpRequest",
    "Outcome",
    "Response",
    "Timeout",
    "World",
    "no_components",
    "no_network",
    "run_component",
    "run_start",
    "run_tick",
]
