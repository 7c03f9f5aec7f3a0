"""Asking a server whether it takes calls, by the standard health service."""

from typing import TYPE_CHECKING

from grpc_health.v1 import health_pb2, health_pb2_grpc
from headrace_core.errors import DeadlineExceeded, Unavailable

if TYPE_CHECKING:
    import grpc

WITHIN = 1.0
"""Seconds that a healthy server needs at most."""


async def check_serving(channel: "grpc.aio.Channel") -> None:
    """Return when the server behind the channel takes calls. Raises Unavailable when not, or not within a second."""
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WITHIN)
    except DeadlineExceeded:
        raise Unavailable(f"It did not answer within {WITHIN:g} s.") from None
    except Unavailable:
        raise Unavailable("It cannot be reached.") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise Unavailable("It says that it takes no calls: it starts or stops.")
