"""Blows against backing servers: each loses nothing that it had on its disk, and is back at its port afterwards."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Protocol

from tests.chaos.proxy import Proxy
from tests.servers import Server


@dataclass(slots=True)
class ServerKill:
    """kill -9 of all its processes and a new start over the same data."""

    server: Server
    done: int = 0

    def strike(self) -> None:
        assert self.server.is_running, f"{self.server.name} ended by itself."
        self.server.send(signal.SIGKILL)

    def mend(self) -> None:
        self.server.restart()
        self.done += 1


class Interruption(Protocol):
    """A way in which a server is away for a while."""

    def begin(self) -> None: ...

    def is_away(self) -> bool:
        """Whether the server does not serve those who ask now: the proof."""
        ...

    def end(self) -> None:
        """Returns when the server serves again."""
        ...


@dataclass(slots=True)
class Refusal:
    """It was killed: connections are refused."""

    server: Server

    def begin(self) -> None:
        self.server.kill()

    def is_away(self) -> bool:
        return not self.server.serves()

    def end(self) -> None:
        self.server.start()


@dataclass(slots=True)
class BlackHole:
    """It stands still: connections are taken, and nobody answers."""

    server: Server

    def begin(self) -> None:
        self.server.pause()

    def is_away(self) -> bool:
        return self.server.is_running and not self.server.serves()

    def end(self) -> None:
        self.server.resume()


@dataclass(slots=True)
class Reset:
    """The link is bad: what is open is reset, and each new connection."""

    proxy: Proxy

    def begin(self) -> None:
        self.proxy.break_off()

    def is_away(self) -> bool:
        return self.proxy.resets > 0

    def end(self) -> None:
        self.proxy.heal()
