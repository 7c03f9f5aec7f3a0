"""Calls to another process: a gRPC channel whose calls raise `HeadraceError`s and never wait for ever."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, Self, cast

import grpc
from headrace_core.errors import Cancelled, Unavailable, Unsupported

from headrace_runtime import logs
from headrace_runtime.rpc import deadlines, methods, wire
from headrace_runtime.rpc.tls import Identity

DEFAULT_TIMEOUT = 10.0
"""Seconds that a unary call gets when the caller names none. Streams get what they are given."""

_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
    "methodConfig": [
        {
            "name": methods.repeatable(),
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}

Metadata = Iterable[tuple[str, str | bytes]]


def dial(
    address: str,
    *,
    default_timeout: float = DEFAULT_TIMEOUT,
    max_message_bytes: int = wire.MAX_MESSAGE_BYTES,
    identity: Identity | None = None,
    service: str = "",
) -> "DialledChannel":
    """A channel to the service at `address` (`host:port`, `dns:///host:port` or `unix:/path`), for generated stubs.

    It connects when it is first used and again when it has to. Calls of methods that may be repeated
    (`rpc.methods`) are, when they meet UNAVAILABLE: up to four times within their deadline. With an `identity` both
    sides show certificates, and the other side's must name `service`. Close it when done, or use `async with`.
    """
    options: list[tuple[str, object]] = [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Shorter than the pauses between a call's tries: a replica that is back takes over before another one goes.
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_metadata_size", wire.MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * wire.MAX_METADATA_BYTES),
        # A proxy of the environment is for the way out, not for calls inside the house.
        ("grpc.enable_http_proxy", 0),
    ]
    if identity is None:
        return DialledChannel(grpc.aio.insecure_channel(address, options=options), default_timeout)
    # Certificates name services, not the hosts they happen to run on.
    options.append(("grpc.ssl_target_name_override", service))
    secured = grpc.aio.secure_channel(address, identity.channel_credentials(), options=options)
    return DialledChannel(secured, default_timeout)


class DialledChannel(grpc.aio.Channel):
    """A gRPC channel whose calls speak Headrace's errors, deadlines and request ids."""

    def __init__(self, channel: grpc.aio.Channel, default_timeout: float) -> None:
        self._channel = channel
        self._default_timeout = default_timeout

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        calls = self._channel.unary_unary(method, request_serializer, response_deserializer)
        # As with LocalChannel, a unary call is awaited and nothing else, so a coroutine will do.
        return cast("grpc.aio.UnaryUnaryMultiCallable[Any, Any]", _UnaryCalls(calls, method, self._default_timeout))

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        calls = self._channel.unary_stream(method, request_serializer, response_deserializer)
        # WireStream has the verbs of grpc's call that readers use: iteration, read, cancel, cancelled.
        return cast("grpc.aio.UnaryStreamMultiCallable[Any, Any]", _StreamCalls(calls, method))

    def stream_unary(self, method: str, *options: object, **more: object) -> NoReturn:
        raise Unsupported(f"{method} streams requests, which Headrace does not do: send batches.")

    def stream_stream(self, method: str, *options: object, **more: object) -> NoReturn:
        raise Unsupported(f"{method} streams requests, which Headrace does not do: send batches.")

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def close(self, grace: float | None = None) -> None:
        """Let calls under way finish for `grace` seconds, then end them. Later calls raise Unavailable."""
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()


class _UnaryCalls:
    """The method of a stub that asks once and gets one answer."""

    __slots__ = ("_calls", "_default_timeout", "_method")

    def __init__(self, calls: grpc.aio.UnaryUnaryMultiCallable[Any, Any], method: str, default_timeout: float) -> None:
        self._calls = calls
        self._method = method
        self._default_timeout = default_timeout

    async def __call__(
        self,
        request: object,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        **transport: Any,
    ) -> object:
        limit = deadlines.within(self._default_timeout if timeout is None else timeout)
        if limit is not None and limit <= 0:
            raise wire.too_late(self._method, None)
        try:
            return await self._calls(request, timeout=limit, metadata=_named(metadata), **transport)
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error, self._method, limit) from None
        except grpc.aio.UsageError:
            raise _closed(self._method) from None


class _StreamCalls:
    """The method of a stub that asks once and gets a stream of answers."""

    __slots__ = ("_calls", "_method")

    def __init__(self, calls: grpc.aio.UnaryStreamMultiCallable[Any, Any], method: str) -> None:
        self._calls = calls
        self._method = method

    def __call__(
        self,
        request: object,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        **transport: Any,
    ) -> "WireStream":
        limit = deadlines.within(timeout)
        if limit is not None and limit <= 0:
            raise wire.too_late(self._method, None)
        try:
            call = self._calls(request, timeout=limit, metadata=_named(metadata), **transport)
        except grpc.aio.UsageError:
            raise _closed(self._method) from None
        return WireStream(call, self._method, limit)


class WireStream:
    """A stream under way: an async iterator that can be cancelled. It has one reader."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, Any], method: str, timeout: float | None) -> None:
        self._call = call
        self._answers: AsyncIterator[object] = call.__aiter__()
        self._method = method
        self._timeout = timeout
        self._is_cancelled = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        if self._is_cancelled:
            raise Cancelled(f"{self._method} was cancelled.")
        try:
            return await anext(self._answers)
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error, self._method, self._timeout) from None
        except asyncio.CancelledError:
            if self.cancelled() and not _is_being_cancelled():
                raise Cancelled(f"{self._method} was cancelled.") from None
            self._is_cancelled = True
            raise

    async def read(self) -> object:
        """The next answer, or grpc.aio.EOF after the last. Raises what the servicer raised."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            return wire.EOF

    def cancel(self) -> bool:
        """End the stream. Answers False when it has ended already."""
        ended = self._call.cancel()
        self._is_cancelled = self._is_cancelled or ended
        return ended

    def cancelled(self) -> bool:
        """Whether the stream was ended by its reader."""
        return self._is_cancelled

    def done(self) -> bool:
        """Whether the stream has ended."""
        return self._call.done()

    async def aclose(self) -> None:
        """End the stream. Closing again changes nothing."""
        self.cancel()

    def __del__(self) -> None:
        self._call.cancel()  # A reader that breaks off says nothing: its letting go of the stream says it.


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _named(metadata: Metadata | None) -> grpc.aio.Metadata:
    """The metadata with the id of the request that is being worked on."""
    named = grpc.aio.Metadata(*(metadata or ()))
    if wire.REQUEST_ID_KEY not in named:
        named.add(wire.REQUEST_ID_KEY, logs.ensure_request_id())
    return named


def _closed(method: str) -> Unavailable:
    return Unavailable(f"The connection to the {wire.service_of(method)} is closed.", details={"method": method})
