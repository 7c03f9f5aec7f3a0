"""Whether the services behind the gateway take calls."""

import functools

from headrace_runtime.health import Health
from headrace_runtime.rpc import check_serving

from headrace_gateway.clients import Channels


def watch_services(health: Health, channels: Channels) -> None:
    """Ask all four for every report of readiness.

    Events need the flow manager and the executor. Without the scheduler timers come late, without the log service
    records wait where they arise: both are named, and the gateway still takes work.
    """
    health.add("flow-manager", functools.partial(check_serving, channels.flow))
    health.add("executor", functools.partial(check_serving, channels.execution))
    health.add("scheduler", functools.partial(check_serving, channels.schedule), is_needed=False)
    health.add("logging", functools.partial(check_serving, channels.log), is_needed=False)
