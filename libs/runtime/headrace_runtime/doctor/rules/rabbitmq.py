"""What RabbitMQ's answers mean."""

import re
from collections.abc import Mapping

from headrace_runtime.bus.link import MINIMUM_VERSION
from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules.versions import too_old

_ARGUMENT = re.compile(r"inequivalent arg '([^']+)' .*?received (.+?) but current is (.+)", re.DOTALL)


def version(properties: Mapping[str, str]) -> Finding:
    """New enough, by what the server says of itself when a connection opens."""
    return too_old(properties.get("version", ""), MINIMUM_VERSION, "RabbitMQ")


def node(properties: Mapping[str, str]) -> Finding:
    """Which cluster answered. How many nodes it has is not told by AMQP."""
    cluster = properties.get("cluster_name", "unnamed")
    return ok("node", f"{properties.get('product', 'RabbitMQ')} of the cluster {cluster}")


def other_arguments(queue: str, refusal: str) -> Finding:
    """A queue of ours that was declared in another way: by another release, another capacity, or by hand."""
    found = _ARGUMENT.search(refusal)
    what = f"{found[1]} is {_plain(found[3])}, not {_plain(found[2])}" if found else " ".join(refusal.split())[:200]
    advice = f"Delete it with `rabbitmqctl delete_queue {queue}`: Headrace makes it anew, and hints are sent again."
    return error(f"queue {queue}", what, advice)


def _plain(told: str) -> str:
    value = re.search(r"'([^']*)'", told)
    return value[1] if value else "not set" if told.startswith("none") else " ".join(told.split())[:60]
