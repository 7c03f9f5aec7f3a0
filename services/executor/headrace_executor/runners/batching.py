"""Calls of components on their way to a runner: one alone goes at once, those that come together go together.

What a message on the wire costs is more than what a call in it does. Each answer comes back when it is there, whatever
becomes of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc

MOST_BYTES = 256 * 1024
"""A call that carries more goes by itself."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call whose answer somebody waits for."""

    request: pb.InvokeRequest
    timeout: float
    answer: asyncio.Future[pb.InvokeResponse]


class Batching:
    """Sends calls to one runner."""

    def __init__(self, stub: rpc.RunnerServiceAsyncStub) -> None:
        self._stub = stub
        self._under_way = 0
        self._gathered: list[_Waiting] = []
        self._carriers: set[asyncio.Task[None]] = set()

    async def invoke(self, request: pb.InvokeRequest, timeout: float) -> pb.InvokeResponse:
        """The answer. Raises what the way to the runner raises."""
        self._under_way += 1
        try:
            if self._under_way == 1 or request.ByteSize() > MOST_BYTES:
                return await self._stub.Invoke(request, timeout=timeout)
            return await self._among_others(request, timeout)
        finally:
            self._under_way -= 1

    async def _among_others(self, request: pb.InvokeRequest, timeout: float) -> pb.InvokeResponse:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, timeout, loop.create_future())
        self._gathered.append(waiting)
        if len(self._gathered) == 1:
            loop.call_soon(self._send)  # after all that is ready now, which may have calls of its own
        return await waiting.answer

    def _send(self) -> None:
        gathered, self._gathered = self._gathered, []
        carrier = asyncio.create_task(self._carry([each for each in gathered if not each.answer.done()]))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def _carry(self, calls: Sequence[_Waiting]) -> None:
        """Send them and hand out the answers. Who waits hears of whatever goes wrong on the way."""
        if not calls:
            return
        request = pb.InvokeBatchRequest(calls=[each.request for each in calls])
        try:
            async for part in self._stub.InvokeBatch(request, timeout=max(each.timeout for each in calls)):
                for one in part.answers:
                    _tell(calls[one.index].answer, one.answer)
            raise ConnectionError("The runner ended its answers before all were there.")
        except Exception as error:
            for each in calls:
                _fail(each.answer, error)


def _tell(waiting: asyncio.Future[pb.InvokeResponse], answer: pb.InvokeResponse) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _fail(waiting: asyncio.Future[pb.InvokeResponse], error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(error)
