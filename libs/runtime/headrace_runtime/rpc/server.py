"""A service's side of the wire: a gRPC server that is bounded, tells its health, and drains before it stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from headrace_core.errors import BadRequest, Cancelled, Conflict, Forbidden, HeadraceError

from headrace_runtime import logs
from headrace_runtime.metrics import Counter, Metrics
from headrace_runtime.rpc import deadlines, methods, tls, wire

ENDLESS = frozenset(
    {
        "/headrace.log.v1.LogService/Tail",
        "/headrace.execution.v1.ExecutionService/Watch",
    }
)
"""Streams that may go on for ever, and so the only methods that answer calls without a deadline."""

if TYPE_CHECKING:  # Generic in the stubs only: grpc's own classes take no parameters.
    _Interceptor: TypeAlias = grpc.aio.ServerInterceptor[Any, Any]
    _RpcHandler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    _Interceptor = grpc.aio.ServerInterceptor
    _RpcHandler = grpc.RpcMethodHandler

_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a server takes on, and how it lets go."""

    max_message_bytes: int = wire.MAX_MESSAGE_BYTES
    max_concurrent_calls: int = 1000
    max_connection_age: timedelta = timedelta(minutes=10)
    notice: timedelta = timedelta(seconds=2)
    """How long it goes on after telling NOT_SERVING, for balancers to hear it."""
    grace: timedelta = timedelta(seconds=20)
    """How long calls under way may take after that."""


class _Health(Protocol):
    """grpc's own servicer of the standard health service."""

    async def set(self, service: str, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None: ...

    async def enter_graceful_shutdown(self) -> None: ...


class RunningServer:
    """A server that answers. It stops when the block of `serve` is left."""

    def __init__(
        self,
        server: grpc.aio.Server,
        health_servicer: _Health,
        address: str,
        limits: ServerLimits,
        own_work: Callable[[], Awaitable[None]],
    ) -> None:
        self._server = server
        self._health = health_servicer
        self._limits = limits
        self._own_work = own_work
        self._is_drained = False
        self.address = address
        """Where it listens, with the port that the system chose where it was asked to choose."""

    async def set_serving(self, is_serving: bool) -> None:
        """Tell balancers whether to send calls here. Does nothing once the server drains."""
        answer = health_pb2.HealthCheckResponse
        await self._health.set("", answer.SERVING if is_serving else answer.NOT_SERVING)

    async def drain(self) -> None:
        """Tell NOT_SERVING, go on for a moment, then take no more, let calls and own work finish. Twice is as once."""
        if self._is_drained:
            return
        self._is_drained = True
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._limits.notice.total_seconds())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stop())
            tasks.create_task(self._drain_own_work())

    async def _stop(self) -> None:
        await self._server.stop(self._limits.grace.total_seconds())

    async def _drain_own_work(self) -> None:
        await self._own_work()


async def _nothing() -> None:
    """A server of servicers that do nothing beside their calls."""


@asynccontextmanager
async def serve(
    address: str,
    register: Callable[[grpc.aio.Server], None],
    *,
    endless: Collection[str] = ENDLESS,
    limits: ServerLimits | None = None,
    drain: Callable[[], Awaitable[None]] = _nothing,
    identity: tls.Identity | None = None,
    reflection: bool = False,
    metrics: Metrics | None = None,
) -> AsyncIterator[RunningServer]:
    """Answer calls at `address` (`host:port`, port 0 for any, or `unix:/path`) while the block runs; drain after it.

    `register` adds the servicers; `drain` ends what they do beside their calls, and endless streams. The standard
    health service is there and says SERVING. With an `identity` only services with a certificate get in, each to the
    methods that `rpc.methods` lets it call. `reflection` tells tools what there is. `metrics` count the calls.
    Raises Conflict when nobody can listen at the address.
    """
    limits = limits or ServerLimits()
    server = grpc.aio.server(
        interceptors=(_Edge(frozenset(endless), metrics or Metrics(), is_guarded=identity is not None),),
        options=_options(limits),
        maximum_concurrent_rpcs=limits.max_concurrent_calls,
    )
    registered = _Registered(server)
    register(cast("grpc.aio.Server", registered))  # It has the two verbs that generated code registers by.
    if reflection:
        _reflect(server, registered.services)
    # The stubs of grpc_health leave its asyncio servicer out.
    health_servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    running = RunningServer(server, health_servicer, _listen(server, address, identity), limits, drain)
    await server.start()
    await running.set_serving(True)
    try:
        yield running
    finally:
        await running.drain()


class _Registered:
    """Registers servicers at a server and remembers whose they are."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server: Any = server  # The stubs leave out how generated code registers since grpc 1.63.
        self.services: list[str] = []

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        self._server.add_registered_method_handlers(service, handlers)
        self.services.append(service)


def _reflect(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Answer which services and methods there are, for grpcurl and its like."""
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)


def _listen(server: grpc.aio.Server, address: str, identity: tls.Identity | None) -> str:
    try:
        if identity is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, identity.server_credentials())
    except RuntimeError as error:
        raise Conflict(
            f"The server cannot listen at {address}: the address is not ours or somebody listens there already."
        ) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _options(limits: ServerLimits) -> list[tuple[str, object]]:
    return [
        ("grpc.max_send_message_length", limits.max_message_bytes),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_metadata_size", wire.MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * wire.MAX_METADATA_BYTES),
        ("grpc.max_connection_age_ms", int(limits.max_connection_age.total_seconds() * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.grace.total_seconds() * 1000)),
        # Our clients ping every 60 s; the default of five minutes would call that abuse.
        ("grpc.http2.min_ping_interval_without_data_ms", 50_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Two servers on one port would halve the calls of each without anybody noticing.
        ("grpc.so_reuseport", 0),
    ]


class _Edge(_Interceptor):
    """Where errors become statuses, and where callers, deadlines and request ids are checked."""

    def __init__(self, endless: frozenset[str], metrics: Metrics, *, is_guarded: bool) -> None:
        self._endless = endless
        self._calls = metrics.counter(
            "headrace_rpc_calls_total",
            "Calls over gRPC that were answered, by what came of them.",
            ("method", "outcome"),
        )
        self._is_guarded = is_guarded

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_RpcHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _RpcHandler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        # grpc gives None for a method nobody registered, and answers UNIMPLEMENTED by itself.
        if handler is None or method.startswith(_HEALTH):
            return handler
        edge = _Method(method, self._calls, is_endless=method in self._endless, is_guarded=self._is_guarded)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                edge.unary(handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                edge.stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return handler


class _Method:
    """One method's edge."""

    def __init__(self, name: str, calls: Counter, *, is_endless: bool, is_guarded: bool) -> None:
        self._name = name
        self._calls = calls
        self._is_guarded = is_guarded
        self._is_endless = is_endless

    def unary(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def answer(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
            try:
                self._enter(context)
                answered = await behaviour(request, context)
                self._count("ok")
                return answered
            except asyncio.CancelledError:
                self._count(Cancelled.code)
                raise
            except Exception as error:
                await self._refuse(context, error)

        return answer

    def stream(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def answers(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[object]:
            try:
                self._enter(context)
                async for each in behaviour(request, context):
                    yield each
                self._count("ok")
            except (asyncio.CancelledError, GeneratorExit):
                self._count(Cancelled.code)  # the reader has what it wanted, or is gone
                raise
            except Exception as error:
                await self._refuse(context, error)

        return answers

    def _count(self, outcome: str) -> None:
        self._calls.inc(method=self._name.removeprefix("/"), outcome=outcome)

    def _enter(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        offered = next((value for key, value in _metadata(context) if key == wire.REQUEST_ID_KEY), "")
        logs.request_id.set(logs.accept_request_id(str(offered)))
        if self._is_guarded:
            self._check_caller(tls.names_of(context.auth_context()))
        left: float | None = context.time_remaining()  # The stubs leave out that it is None without a deadline.
        if left is not None:
            deadlines.begin(left)
        elif not self._is_endless:
            raise BadRequest(f"A call of {self._name} needs a deadline: pass a timeout.")

    def _check_caller(self, names: frozenset[str]) -> None:
        if not any(methods.may_call(name, self._name) for name in names):
            shown = ", ".join(sorted(names)) or "a certificate without a name"
            raise Forbidden(
                f"{self._name} is not for {shown}. Who may call it is said in headrace_runtime.rpc.methods."
            )

    async def _refuse(self, context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        known = self._known(error)
        self._count(known.code)
        await context.abort(wire.status_of(known), wire.status_text(known), wire.trailers(known))

    def _known(self, error: Exception) -> HeadraceError:
        if isinstance(error, HeadraceError):
            return error
        if isinstance(error, NotImplementedError):
            return wire.unknown_method(self._name)  # The generated servicer's answer for a method nobody wrote.
        return wire.our_mistake(error, self._name)


def _metadata(context: grpc.aio.ServicerContext[Any, Any]) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(context.invocation_metadata() or ())
