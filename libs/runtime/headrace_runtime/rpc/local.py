"""Calls inside one process: generated stubs reach servicers without a socket.

The request itself is handed over, so neither side may change a message once it is sent. A unary call runs in the
caller's own task. A stream runs in a task of its own, from the call on, as it would in another process; it ends
with its deadline, with `cancel()`, or when its reader is gone.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from headrace_core.errors import Cancelled, HeadraceError, Unsupported

from headrace_runtime.rpc import wire

STREAM_BUFFER = 16
"""Messages that a stream may be ahead of its reader."""

Handlers = dict[str, "_Handler"]
Metadata = tuple[tuple[str, str | bytes], ...]


class _Handler(Protocol):
    """What generated code registers for a method."""

    request_streaming: bool
    response_streaming: bool
    unary_unary: Callable[[Any, "LocalContext"], Awaitable[Any]] | None
    unary_stream: Callable[[Any, "LocalContext"], AsyncIterator[Any]] | None


class LocalServer(grpc.aio.Server):
    """Servicers of this process. Generated `add_…Servicer_to_server` functions register with it.

    The standard health service is there and says SERVING. Servicers and channels may come in any order: a method is
    looked up when it is called.
    """

    def __init__(self) -> None:
        self._handlers: Handlers = {}
        health_pb2_grpc.add_HealthServicer_to_server(_LocalHealth(), self)

    def channel(self) -> "LocalChannel":
        """A channel for generated stubs. All channels of a server are alike."""
        return LocalChannel(self._handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, _Handler]) -> None:
        """Answer the methods of a service. The later of two registrations of a method stands."""
        self._handlers.update({f"/{service}/{method}": handler for method, handler in handlers.items()})

    def add_generic_rpc_handlers(self, generic_rpc_handlers: "Iterable[grpc.GenericRpcHandler[Any, Any]]") -> None:
        """Nothing to do: generated code registers the same methods by name as well."""

    def add_insecure_port(self, address: str) -> NoReturn:
        raise Unsupported(f"A LocalServer listens nowhere, so not at {address}: use `serve` for that.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> NoReturn:
        raise Unsupported(f"A LocalServer listens nowhere, so not at {address}: use `serve` for that.")

    async def start(self) -> None:
        """Nothing to do: servicers answer from the moment they are registered."""

    async def stop(self, grace: float | None = None) -> None:
        """Forget all servicers: further calls raise Unsupported. Stopping again changes nothing."""
        self._handlers.clear()

    async def wait_for_termination(self, timeout: float | None = None) -> NoReturn:
        raise Unsupported("A LocalServer ends with its process: there is nothing to wait for.")


class _LocalHealth(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc_health has no types
    """A server of this process serves until it is stopped."""

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: "LocalContext"
    ) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


class LocalContext:
    """What a servicer may ask about the call it answers."""

    __slots__ = ("_is_cancelled", "_metadata", "_until")

    def __init__(self, until: float | None, metadata: Metadata) -> None:
        self._until = until
        self._metadata = metadata
        self._is_cancelled = False

    def time_remaining(self) -> float | None:
        """Seconds left; None when the caller set no deadline."""
        if self._until is None:
            return None
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def invocation_metadata(self) -> Metadata:
        """What the caller sent along."""
        return self._metadata

    def cancelled(self) -> bool:
        """Whether the caller has left."""
        return self._is_cancelled

    def peer(self) -> str:
        """Who calls: this very process."""
        return "local"

    def set_code(self, code: grpc.StatusCode) -> None:
        """Generated servicers call this for methods that are not written; the call raises Unsupported anyway."""

    def set_details(self, details: str) -> None:
        """As `set_code`."""

    def mark_cancelled(self) -> None:
        """The caller has left."""
        self._is_cancelled = True


class LocalChannel(grpc.aio.Channel):
    """A channel whose calls stay in the process."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def unary_unary(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        # Awaiting is all that callers do with a unary call, and a coroutine is the cheapest thing to await.
        return cast("grpc.aio.UnaryUnaryMultiCallable[Any, Any]", _UnaryCalls(self._handlers, method))

    def unary_stream(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        # LocalStream has the verbs of grpc's call that readers use: iteration, read, cancel, cancelled.
        return cast("grpc.aio.UnaryStreamMultiCallable[Any, Any]", _StreamCalls(self._handlers, method))

    def stream_unary(self, method: str, *options: object, **more: object) -> NoReturn:
        raise Unsupported(f"{method} streams requests, which Headrace does not do: send batches.")

    def stream_stream(self, method: str, *options: object, **more: object) -> NoReturn:
        raise Unsupported(f"{method} streams requests, which Headrace does not do: send batches.")

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.READY

    async def channel_ready(self) -> None:
        """Return at once: a process can always reach itself."""

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> NoReturn:
        raise Unsupported("The state of a LocalChannel never changes: there is nothing to wait for.")

    async def close(self, grace: float | None = None) -> None:
        """Nothing to do: the channel holds nothing open."""

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

    __slots__ = ("_handlers", "_method")

    def __init__(self, handlers: Handlers, method: str) -> None:
        self._handlers = handlers
        self._method = method

    async def __call__(
        self,
        request: object,
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        **transport: object,
    ) -> object:
        handler = self._handlers.get(self._method)
        if handler is None or handler.unary_unary is None:
            raise wire.unknown_method(self._method)
        try:
            if timeout is None:
                return await handler.unary_unary(request, LocalContext(None, tuple(metadata or ())))
            return await self._limited(handler.unary_unary, request, timeout, tuple(metadata or ()))
        except HeadraceError:
            raise
        except Exception as error:
            raise _translated(error, self._method) from error

    async def _limited(
        self,
        behaviour: Callable[[Any, LocalContext], Awaitable[Any]],
        request: object,
        timeout: float,
        metadata: Metadata,
    ) -> object:
        until = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(until) as limit:
                return await behaviour(request, LocalContext(until, metadata))
        except TimeoutError:
            if limit.expired():
                raise wire.too_late(self._method, timeout) from None
            raise


class _StreamCalls:
    """The method of a stub that asks once and gets a stream of answers."""

    __slots__ = ("_handlers", "_method")

    def __init__(self, handlers: Handlers, method: str) -> None:
        self._handlers = handlers
        self._method = method

    def __call__(
        self,
        request: object,
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        **transport: object,
    ) -> "LocalStream":
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        context = LocalContext(until, tuple(metadata or ()))
        pipe = _Pipe()
        run = _run_stream(self._handlers.get(self._method), self._method, request, context, timeout, pipe)
        return LocalStream(loop.create_task(run), pipe, context, self._method)


class LocalStream:
    """A stream under way: an async iterator that can be cancelled. It has one reader.

    It owns the task that runs the servicer, and ends it when it is cancelled, closed or dropped.
    """

    def __init__(self, task: asyncio.Task[None], pipe: "_Pipe", context: LocalContext, method: str) -> None:
        self._task = task
        self._pipe = pipe
        self._context = context
        self._method = method

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        answer = await self.read()
        if answer is wire.EOF:
            raise StopAsyncIteration
        return answer

    async def read(self) -> object:
        """The next answer, or grpc.aio.EOF after the last. Raises what the servicer raised.

        A reader that is cancelled while it waits ends the stream, as in gRPC.
        """
        try:
            return await self._pipe.get()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def cancel(self) -> bool:
        """End the stream. Answers False when it has ended already."""
        if self._pipe.is_closed:
            return False
        self._context.mark_cancelled()
        self._pipe.close(Cancelled(f"{self._method} was cancelled."), keep_rest=False)
        self._task.cancel()
        return True

    def cancelled(self) -> bool:
        """Whether the stream was ended by its reader."""
        return self._context.cancelled()

    def done(self) -> bool:
        """Whether the servicer has finished."""
        return self._task.done()

    async def aclose(self) -> None:
        """End the stream and wait until the servicer has let go of everything. Closing again changes nothing."""
        self.cancel()
        await asyncio.wait([self._task])

    def __del__(self) -> None:
        if not self._task.done() and not self._task.get_loop().is_closed():
            self._context.mark_cancelled()
            self._task.cancel()


class _Pipe:
    """A bounded way from one writer to one reader, with an end."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._moved: asyncio.Future[None] | None = None
        self._error: HeadraceError | None = None
        self.is_closed = False

    async def put(self, answer: object) -> None:
        while len(self._waiting) >= STREAM_BUFFER and not self.is_closed:
            await self._movement()
        if not self.is_closed:
            self._waiting.append(answer)
            self._stir()

    async def get(self) -> object:
        while not self._waiting and not self.is_closed:
            await self._movement()
        if self._waiting:
            answer = self._waiting.popleft()
            self._stir()
            return answer
        if self._error is not None:
            raise self._error
        return wire.EOF

    def close(self, error: HeadraceError | None, *, keep_rest: bool = True) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._error = error
        if not keep_rest:
            self._waiting.clear()
        self._stir()

    # The writer waits only while the pipe is full and the reader only while it is empty: never both.
    async def _movement(self) -> None:
        self._moved = asyncio.get_running_loop().create_future()
        await self._moved

    def _stir(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)


async def _run_stream(
    handler: _Handler | None,
    method: str,
    request: object,
    context: LocalContext,
    timeout: float | None,
    pipe: _Pipe,
) -> None:
    """Run the servicer into the pipe. Holds no reference to the reader, so that a dropped reader is noticed."""
    error: HeadraceError | None = Cancelled(f"{method} was cancelled.")
    try:
        if handler is None or handler.unary_stream is None:
            raise wire.unknown_method(method)
        async with asyncio.timeout(timeout) as limit:
            await _copy(handler.unary_stream(request, context), pipe)
        error = None
    except HeadraceError as raised:
        error = raised
    except TimeoutError as raised:
        error = wire.too_late(method, timeout) if limit.expired() else wire.our_mistake(raised, method)
    except Exception as raised:
        error = _translated(raised, method)
    finally:
        pipe.close(error)


async def _copy(answers: AsyncIterator[object], pipe: _Pipe) -> None:
    try:
        async for answer in answers:
            await pipe.put(answer)
    finally:
        if inspect.isasyncgen(answers):
            await answers.aclose()


def _translated(error: Exception, method: str) -> HeadraceError:
    if isinstance(error, NotImplementedError):
        return wire.unknown_method(method)  # The generated servicer's own answer for a method nobody wrote.
    return wire.our_mistake(error, method)
