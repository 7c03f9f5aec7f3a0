"""Run a component in a test, without the platform.

    outcome = await run_component(Greet, content={"name": "Ada"})
    assert outcome.outputs == [("out", {"text": "Hello Ada"})]

Calls that belong together share a `World`:

    world = World()
    await run_component(Counter, port="item", world=world)
    await run_component(Counter, port="item", world=world)
"""

from headrace_sdk.testing.plugins import MemoryPluginContext, Trigger, run_job, run_route
from headrace_sdk.testing.running import Outcome, run_component, run_start, run_tick
from headrace_sdk.testing.world import (
    ApiCall,
    ApiHandler,
    ComponentCall,
    ComponentHandler,
    Envelope,
    FlowCall,
    HttpHandler,
    HttpRequest,
    Response,
    Timeout,
    World,
    no_api,
    no_components,
    no_network,
)

__all__ = [
    "ApiCall",
    "ApiHandler",
    "ComponentCall",
    "ComponentHandler",
    "Envelope",
    "FlowCall",
    "HttpHandler",
    "HttpRequest",
    "MemoryPluginContext",
    "Outcome",
    "Response",
    "Timeout",
    "Trigger",
    "World",
    "no_api",
    "no_components",
    "no_network",
    "run_component",
    "run_job",
    "run_route",
    "run_start",
    "run_tick",
]
