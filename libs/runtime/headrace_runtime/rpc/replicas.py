"""Every process of a service, one by one: behind one address there may be many."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self

from headrace_core.errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

    from grpc.aio import Channel

    from headrace_runtime.rpc.client import DialledChannel

RESOLVE_SECONDS = 2.0


class Replicas(Protocol):
    """The processes of one service."""

    async def channels(self) -> Mapping[str, Channel]:
        """A channel to each, by the place where it answers. Raises Unavailable where nobody says where they are."""
        ...


class TheOnly:
    """A service of one process, which is known."""

    def __init__(self, place: str, channel: Channel) -> None:
        self._channels = {place: channel}

    async def channels(self) -> Mapping[str, Channel]:
        return self._channels


class Resolved:
    """Those that an address stands for, looked up each time. Channels are kept while their place is one of them."""

    def __init__(self, dial: Callable[[str], DialledChannel], address: str) -> None:
        self._dial = dial
        self._address = address
        self._known: dict[str, DialledChannel] = {}

    async def channels(self) -> Mapping[str, Channel]:
        places = await places_of(self._address)
        for gone in self._known.keys() - set(places):
            await self._known.pop(gone).close()
        for place in places:
            if place not in self._known:
                self._known[place] = self._dial(place)
        return dict(self._known)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._known.values():
            await channel.close()


async def places_of(address: str) -> Sequence[str]:
    """Where the processes behind an address answer, in order. Raises Unavailable where a name stands for nothing."""
    if address.startswith("unix:"):
        return [address]
    if address.startswith(("ipv4:", "ipv6:")):
        return sorted(address.partition(":")[2].split(","))
    host, _, port = address.removeprefix("dns:///").rpartition(":")
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"Nobody says where {address} is: {error}.") from None
    hosts = sorted({str(place[0]) for *_, place in found})
    return [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in hosts]
