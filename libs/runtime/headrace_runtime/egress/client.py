"""Requests to the outside."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore
from headrace_core.errors import BadRequest, DeadlineExceeded, TooLarge, Unavailable

from headrace_runtime.egress import bodies, redirects, urls
from headrace_runtime.egress.connections import CheckedBackend, Resolver, open_socket, resolve_by_system
from headrace_runtime.egress.kept import KeptConnections
from headrace_runtime.egress.policy import EgressPolicy, EgressRefused

DEFAULT_TIMEOUT = 30.0
MAX_REDIRECTS = 5

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class EgressResponse:
    """What came back. `content` is unpacked; `url` is where it came from, after all redirects."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    url: str

    def header(self, name: str) -> str | None:
        """The first header of that name, in whatever case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Egress:
    """The way out under one policy. Connections are kept for a while and used again.

    Close it when done, or use `async with`.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        resolver: Resolver | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy or EgressPolicy()
        self._backend = CheckedBackend(self._policy, resolver or resolve_by_system)
        # Every connection was checked under this policy when it was opened, so any request that the policy lets
        # through may use it again.
        self._connections = KeptConnections(tls or _trust(), self._backend)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        content: bytes | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_response_bytes: int | None = None,
        follow_redirects: int = MAX_REDIRECTS,
        allowed_hosts: Sequence[str] = (),
    ) -> EgressResponse:
        """Send a request and read the answer, whatever its status, following redirects.

        `timeout` is for all of it. `follow_redirects` is at most five; with 0 a redirect is an answer like others.
        `allowed_hosts` narrows the policy's, for a request that carries a credential. The headers Host and those of
        the connection are not the caller's to set and are passed over.

        Raises BadRequest (it cannot be sent), EgressRefused (it may not), Unavailable (no connection, or it broke),
        DeadlineExceeded, TooLarge (the answer). Only Unavailable and DeadlineExceeded are worth another try.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        wanted = redirects.request(method, url, pairs, content)
        limit = _smaller(self._policy.max_response_bytes, max_response_bytes)
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._follow(wanted, limit, min(follow_redirects, MAX_REDIRECTS), allowed_hosts)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(f"{wanted.target.host} did not answer within {timeout:g} s.") from None

    async def connect(self, host: str, port: int, *, timeout: float = DEFAULT_TIMEOUT) -> socket.socket:
        """A connected socket that does not block, for another protocol than HTTP; the caller closes it.

        Raises BadRequest, EgressRefused, Unavailable, DeadlineExceeded as `request` does.
        """
        named = urls.parse(f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/")
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await open_socket(self._backend, self._policy, named.host, port)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(f"{named.host} did not answer within {timeout:g} s.") from None

    async def aclose(self) -> None:
        """Close all connections. Closing again changes nothing."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _follow(
        self, wanted: redirects.Request, limit: int, hops: int, allowed_hosts: Sequence[str]
    ) -> EgressResponse:
        left = hops
        while True:
            self._check(wanted, allowed_hosts)
            response = await self._send(wanted, limit, is_followed=hops > 0)
            further = redirects.after(wanted, response.status, response.header("location")) if hops else None
            if further is None:
                return response
            if not left:
                raise EgressRefused(f"{wanted.target.host} redirects once more after {hops} redirects.")
            left -= 1
            wanted = further

    def _check(self, wanted: redirects.Request, allowed_hosts: Sequence[str]) -> None:
        self._policy.check_port(wanted.target.port)
        self._policy.check_host(wanted.target.host, allowed_hosts)
        if wanted.target.address is not None:
            self._policy.check_address(wanted.target.address, wanted.target.host)

    async def _send(self, wanted: redirects.Request, limit: int, *, is_followed: bool) -> EgressResponse:
        host = wanted.target.host
        try:
            async with self._connections.sent(_for_the_wire(wanted)) as response:
                return await _read(wanted, response, limit, is_followed)
        except httpcore.LocalProtocolError:
            raise BadRequest(f"The request to {host} cannot be sent: one of its headers is not valid.") from None
        except httpcore.TimeoutException:
            raise DeadlineExceeded(f"{host} did not answer in time.") from None
        except httpcore.ConnectError as error:
            raise Unavailable(f"No safe connection to {host}: {_why(error)}.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Unavailable(f"The connection to {host} broke.") from error


def _for_the_wire(wanted: redirects.Request) -> httpcore.Request:
    target = wanted.target
    given = {name.lower() for name, _ in wanted.headers}
    headers = [("Host", target.authority), *wanted.headers]
    if "accept-encoding" not in given:
        headers.append(("Accept-Encoding", "gzip, deflate"))
    if "user-agent" not in given:
        headers.append(("User-Agent", "Headrace"))
    if "accept" not in given:
        headers.append(("Accept", "*/*"))
    if wanted.content is not None or wanted.method in _METHODS_WITH_BODY:
        headers.append(("Content-Length", str(len(wanted.content or b""))))
    return httpcore.Request(
        wanted.method,
        httpcore.URL(
            scheme=target.scheme.encode("ascii"),
            host=target.host.encode("ascii"),
            port=target.port,
            target=target.path.encode("ascii"),
        ),
        headers=[(name.encode("ascii"), _value(value)) for name, value in headers],
        content=wanted.content or b"",
    )


def _value(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


async def _read(
    wanted: redirects.Request, response: httpcore.Response, limit: int, is_followed: bool
) -> EgressResponse:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
    heads = EgressResponse(response.status, headers, b"", str(wanted.target))
    if is_followed and redirects.is_redirect(response.status, heads.header("location")):
        return heads  # Nobody reads the body of a redirect that is followed.
    announced = heads.header("content-length") or ""
    if announced.isdecimal() and int(announced) > limit and wanted.method != "HEAD":
        raise TooLarge(f"The response has {announced} bytes; {limit} are allowed.")
    codings = [each for name, value in headers if name.lower() == "content-encoding" for each in value.split(",")]
    content = await bodies.read(response.aiter_stream(), codings, limit)
    return EgressResponse(response.status, headers, content, str(wanted.target))


def _smaller(one: int, other: int | None) -> int:
    return one if other is None else min(one, other)


def _why(error: httpcore.ConnectError) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    return "it does not speak TLS there" if isinstance(cause, ssl.SSLError) else "it does not answer there"


@functools.cache  # Reading the certificates takes longer than many a request.
def _trust() -> ssl.SSLContext:
    """The authorities that come with certifi, and those of this machine."""
    context = httpcore.default_ssl_context()
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
