"""One service's process among the others: how it answers them and how it calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from headrace_runtime import settings
from headrace_runtime.rpc.client import DialledChannel, dial
from headrace_runtime.rpc.server import RunningServer, ServerLimits, serve

if TYPE_CHECKING:
    import grpc.aio


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """What the operator says about calls between the services; the same for each of them."""

    drain_delay: timedelta = settings.setting(
        timedelta(seconds=2),
        env="HEADRACE_DRAIN_DELAY",
        help="How long a service says that it is not ready before it takes no more calls.",
    )


class Peer:
    """The process of the service `name`."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self._settings = settings.load(PeerSettings, environ)

    def dial(self, address: str) -> DialledChannel:
        """A channel to the service at the address, for generated stubs; see `dial`."""
        return dial(address)

    def serve(
        self,
        address: str,
        register: Callable[[grpc.aio.Server], None],
        *,
        drain: Callable[[], Awaitable[None]],
    ) -> AbstractAsyncContextManager[RunningServer]:
        """Answer calls while the block runs; see `serve`."""
        return serve(address, register, limits=ServerLimits(notice=self._settings.drain_delay), drain=drain)
