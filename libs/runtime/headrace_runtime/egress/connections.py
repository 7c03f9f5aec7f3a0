"""Connections that go to checked addresses only."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address

import httpcore
from headrace_core.errors import Unavailable

from headrace_runtime.egress import addresses
from headrace_runtime.egress.addresses import Address
from headrace_runtime.egress.policy import FILE_PORTS, EgressPolicy, EgressRefused

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, the preferred first; none when it has none. May raise OSError."""

_MAX_TRIED = 4


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """The addresses that the system finds."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens the connections of a pool: resolves once, checks every address, connects to one of those it checked."""

    def __init__(self, policy: EgressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self.checked_addresses(host, port)
        for address in found[:_MAX_TRIED]:
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, timeout=self._policy.connect_timeout.total_seconds()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            await _insist(stream, address, host)
            return stream
        raise Unavailable(f"No connection to {host} at port {port}: it does not answer there.")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise EgressRefused("Requests to sockets of this machine are not allowed.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def checked_addresses(self, host: str, port: int) -> list[Address]:
        """All addresses of the host. Raises EgressRefused when one of them is not allowed, Unavailable without any."""
        found = [addresses.unmapped(ip_address(each)) for each in await self._answers(host, port)]
        if not found:
            raise Unavailable(f"There is no host {host}, or its name cannot be looked up now.")
        for address in found:
            self._policy.check_address(address, host)
        return found

    async def _answers(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass  # It is a name.
        try:
            return await self._resolver(host, port)
        except (OSError, UnicodeError):
            return []


async def open_socket(backend: CheckedBackend, policy: EgressPolicy, host: str, port: int) -> socket.socket:
    """A connected socket that does not block, to an address that was checked.

    Raises EgressRefused, Unavailable.
    """
    policy.check_port(port, FILE_PORTS)
    policy.check_host(host)
    loop = asyncio.get_running_loop()
    for address in (await backend.checked_addresses(host, port))[:_MAX_TRIED]:
        made = socket.socket(socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET)
        made.setblocking(False)
        try:
            async with asyncio.timeout(policy.connect_timeout.total_seconds()):
                await loop.sock_connect(made, (str(address), port))
        except OSError:
            made.close()
            continue
        except BaseException:
            made.close()
            raise
        return made
    raise Unavailable(f"No connection to {host} at port {port}: it does not answer there.")


async def _insist(stream: httpcore.AsyncNetworkStream, address: Address, host: str) -> None:
    """Close a connection whose other end is not the address that was checked. It cannot happen; so make sure."""
    peer = stream.get_extra_info("server_addr")
    reached = ip_address(str(peer[0])) if peer else None
    if reached is None or _plain(reached) != _plain(address):
        await stream.aclose()
        raise EgressRefused(f"The connection to {host} went elsewhere.")


def _plain(address: Address) -> Address:
    plain = addresses.unmapped(address)
    return IPv6Address(int(plain)) if isinstance(plain, IPv6Address) else plain
