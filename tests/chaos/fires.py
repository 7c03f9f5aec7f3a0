"""An executor that does nothing but put fires on record, and remembers when each was sent to it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import grpc
from headrace.execution.v1 import execution_service_pb2 as pb
from headrace.execution.v1 import execution_service_pb2_grpc as grpc_pb

LANES = 16


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A timer and one of its nominal times, in microseconds since 1970: what fires once."""

    timer_id: str
    nominal: int


@dataclass(frozen=True, slots=True)
class Send:
    """A fire as it arrived. `number` counts all that arrived."""

    number: int
    at: float


class FireSink(grpc_pb.ExecutionServiceServicer):
    """A server of ExecutionService's timer calls while the block runs. It has no flows that could lack timers."""

    def __init__(self, takes: float) -> None:
        """`takes`: seconds from a call to its answer, as a commit would."""
        self._takes = takes
        self._sends: dict[Due, list[Send]] = defaultdict(list)
        self._number = 0
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(LANES), options=[("grpc.so_reuseport", 0)])
        grpc_pb.add_ExecutionServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()

    def FireTimers(self, request: pb.FireTimersRequest, context: object) -> pb.FireTimersResponse:
        with self._lock:
            now = time.time()
            for fire in request.fires:
                self._number += 1
                due = Due(fire.timer_id, fire.nominal_at.ToMicroseconds())
                self._sends[due].append(Send(self._number, now))
        time.sleep(self._takes)
        return pb.FireTimersResponse(outcomes=[pb.FireOutcome(recorded=True)] * len(request.fires))

    def RestoreTimers(self, request: pb.RestoreTimersRequest, context: object) -> pb.RestoreTimersResponse:
        return pb.RestoreTimersResponse()

    def sends(self) -> dict[Due, list[Send]]:
        """What arrived so far, each as often as it was sent."""
        with self._lock:
            return {due: list(sends) for due, sends in self._sends.items()}
