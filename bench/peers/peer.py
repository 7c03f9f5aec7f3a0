"""The interface of everything that is measured. A further system is one more module and one line in `choice.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bench.operations import Operations
from bench.process import Process


class Peer(Protocol):
    """A system with three flows, each begun by `POST` of an event (`load.EVENT`).

    `echo_url` answers `name` in capitals, `email` in small letters and `amount` doubled. `chain_url` answers once
    the event is taken, then adds one to `n` in ten nodes. `branch_url` answers `{"size": "large"}` when `amount` is
    above 10, else `"small"`, by a condition, two branches and a merge. Answers may hold further fields.
    """

    name: str

    @property
    def echo_url(self) -> str: ...

    @property
    def chain_url(self) -> str: ...

    @property
    def branch_url(self) -> str: ...

    def version(self) -> str:
        """What it is and what it runs on."""

    def prepare(self) -> None:
        """Begin with no data, make the three flows, make them run, and stop the processes again."""

    def launch(self) -> None:
        """Start the processes and return at once. Ready is when `echo_url` answers rightly."""

    def processes(self) -> Sequence[Process]:
        """What `launch` started and `stop` has not ended."""

    def finished(self) -> int:
        """How many runs of the chain have ended well since `prepare`, by the peer's own record."""

    def last_finished_at(self) -> float:
        """When the last of them ended, in seconds since 1970, by the peer's own record."""

    def operations(self) -> Operations:
        """What it asked of its stores, its broker and its services since `launch`, by its own counters."""

    def stop(self) -> None:
        """End the processes, letting them put their data away. Stopping twice changes nothing."""
