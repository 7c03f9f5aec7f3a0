"""FTP, alone or over TLS. Every connection, for orders and for data, goes out through the egress guard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import aioftp
from aioftp.common import SSLSessionBoundContext
from headrace_sdk import TransientError
from headrace_sdk.context import Tcp
from headrace_sdk.errors import CancelError, ConnectionExpired

from headrace_connectors.utils.ftp.servers import (
    DIRECTORY,
    FILE,
    LINK,
    MOST_ENTRIES,
    PIECE_BYTES,
    UNKNOWN,
    WITHIN_SECONDS,
    Entry,
    Login,
    NotThereError,
)

_TYPES = {"file": FILE, "dir": DIRECTORY, "cdir": DIRECTORY, "pdir": DIRECTORY, "link": LINK}
_NOT_THERE = "550"
_NOT_LET_IN = ("430", "530", "532")
_BROKEN = (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, aioftp.PathIOError)


class _Client(aioftp.Client):
    """aioftp over sockets of the guard. Data comes from the server that was signed in to, whatever address it names."""

    def __init__(self, tcp: Tcp, login: Login, tls: ssl.SSLContext | None) -> None:
        super().__init__(socket_timeout=WITHIN_SECONDS, ssl=tls if login.protocol == "ftps-implicit" else None)
        self._tcp = tcp
        self._host = login.host

    async def _open_connection(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls: Any = self.ssl
        known = None if self._stream is None else self._stream.writer.transport.get_extra_info("ssl_object")
        if known is not None:
            # Servers that are careful want the session of the orders for the data, too.
            tls = SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=known.context, session=known.session)
        made = await self._tcp.connect(self._host, port)
        try:
            return await asyncio.open_connection(sock=made, ssl=tls, server_hostname=self._host if tls else None)
        except BaseException:
            made.close()
            raise


@asynccontextmanager
async def open_ftp(tcp: Tcp, login: Login) -> AsyncIterator[Ftp]:
    """A server that was signed in to."""
    tls = None if login.protocol == "ftp" else _trust(login.certificate)
    client = _Client(tcp, login, tls)
    try:
        with _errors(""):
            await client.connect(login.host, login.port)
            if login.protocol == "ftps" and tls is not None:
                await client.command("AUTH TLS", "234")
                await client.stream.start_tls(sslcontext=tls, server_hostname=login.host)
            await _sign_in(client, login)
            if tls is not None:
                await client.command("PBSZ 0", "200")
                await client.command("PROT P", "200")
        yield Ftp(client)
    finally:
        client.close()


async def _sign_in(client: _Client, login: Login) -> None:
    try:
        await client.login(login.username, login.password)
    except aioftp.StatusCodeError as error:
        if _code(error) in _NOT_LET_IN:
            raise ConnectionExpired("", f"{login.host} does not let {login.username} in.") from None
        raise


class Ftp:
    """Keeps `FileServer`."""

    def __init__(self, client: aioftp.Client) -> None:
        self._client = client

    async def list(self, path: str) -> list[Entry]:
        found: list[Entry] = []
        with _errors(path):
            async for name, told in self._client.list(path):
                found.append(_entry(name.name, dict(told)))
                if len(found) > MOST_ENTRIES:
                    raise CancelError(f"The directory {path} holds more than {MOST_ENTRIES} entries.")
        return sorted(found, key=lambda each: each.name)

    async def info(self, path: str) -> Entry:
        with _errors(path):
            return _entry(path.rstrip("/").rpartition("/")[2] or "/", dict(await self._client.stat(path)))

    async def download(self, path: str) -> AsyncIterator[bytes]:
        with _errors(path):
            async with self._client.download_stream(path) as stream:
                async for piece in stream.iter_by_block(PIECE_BYTES):
                    yield piece

    async def upload(self, path: str, content: AsyncIterable[bytes]) -> None:
        with _errors(path):
            async with self._client.upload_stream(path) as stream:
                async for piece in content:
                    await stream.write(piece)

    async def make_directory(self, path: str) -> None:
        with _errors(path):
            await self._client.make_directory(path, parents=False) if not await self._client.exists(path) else None

    async def remove_directory(self, path: str) -> None:
        with _errors(path):
            await self._client.remove_directory(path)

    async def remove_file(self, path: str) -> None:
        with _errors(path):
            await self._client.remove_file(path)

    async def rename(self, path: str, new_path: str) -> None:
        with _errors(path):
            await self._client.rename(path, new_path)


def _entry(name: str, told: Mapping[str, Any]) -> Entry:
    mode, links = told.get("unix.mode"), str(told.get("unix.links") or "")
    return Entry(
        name,
        LINK if told.get("link_dst") else _TYPES.get(str(told.get("type", "")).lower(), UNKNOWN),
        int(told.get("size") or told.get("sizd") or 0),
        _moment(str(told.get("modify") or "")),
        mode if isinstance(mode, int) else int(str(mode), 8) if mode else None,
        int(links) if links.isdecimal() else None,
        told.get("link_dst"),
        told.get("unix.owner") or told.get("unix.ownername"),
        told.get("unix.group") or told.get("unix.groupname"),
        told.get("unique"),
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _trust(certificate: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=certificate or None)
    except ssl.SSLError as error:
        raise CancelError(f"The certificate of the account cannot be read: {error}") from None


def _code(error: aioftp.StatusCodeError) -> str:
    return str(error.received_codes[-1])


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Errors of the library and of the server as components know them."""
    try:
        yield
    except aioftp.StatusCodeError as error:
        said = " ".join(each.strip(" -") for each in error.info) or "no reason"
        if path and _code(error) == _NOT_THERE:
            raise NotThereError(path, _NOT_THERE, said) from None
        kind = TransientError if _code(error).startswith("4") else CancelError
        raise kind(f"The server answers {_code(error)}: {said[:500]}") from None
    except ssl.SSLCertVerificationError as error:
        raise CancelError(f"The server's certificate is not trusted: {error.verify_message}.") from None
    except _BROKEN as error:
        raise TransientError(f"The server breaks off: {str(error) or type(error).__name__}") from error
