"""What a peer asked of its stores, its broker and its own services, by the counters it shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Operations = Mapping[str, float]
"""How many of each kind so far. A peer that does not tell has none."""

MONGO, BROKER, REDIS, SEARCH = "MongoDB commands", "broker messages", "Redis calls", "Elasticsearch requests"
CALLS, BATCHES = "gRPC calls", "batches"  # of events, from the gateway to the executor
KINDS = (MONGO, BROKER, REDIS, SEARCH, CALLS)

_SAMPLE = re.compile(r"^(headrace_[a-z_]+)(?:\{.*\})? (\S+)$", re.MULTILINE)
_KINDS = {
    "headrace_mongo_commands_total": MONGO,
    "headrace_bus_messages_total": BROKER,
    "headrace_bus_unheard_total": BROKER,  # published all the same
    "headrace_redis_calls_total": REDIS,
    "headrace_elasticsearch_requests_total": SEARCH,
    "headrace_rpc_calls_total": CALLS,
    "headrace_gateway_batches_total": BATCHES,
}


def counted(texts: Iterable[str]) -> Operations:
    """The sum over the metrics of several processes, in Prometheus' text format."""
    found = dict.fromkeys((*KINDS, BATCHES), 0.0)
    for text in texts:
        for name, value in _SAMPLE.findall(text):
            if name in _KINDS:
                found[_KINDS[name]] += float(value)
    return found


def since(before: Operations, after: Operations) -> Operations:
    """What came in between."""
    return {kind: count - before.get(kind, 0.0) for kind, count in after.items()}
