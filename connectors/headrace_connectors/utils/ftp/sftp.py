"""SFTP: files over SSH. A server is known by its host key, which the account names."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import cast

import asyncssh
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

_TYPES = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: LINK}
_NOT_THERE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPPermissionDenied)


class _Known(asyncssh.SSHClient):
    """Believes the host key whose fingerprint the account names, and no other."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self.shown = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key.get_fingerprint()
        return self.shown == self._fingerprint


@asynccontextmanager
async def open_sftp(tcp: Tcp, login: Login) -> AsyncIterator[Sftp]:
    """A server that was signed in to."""
    known = _Known(_fingerprint_of(login.host_key))
    keys = [_private_key(login)] if login.private_key else []
    made = await tcp.connect(login.host, login.port)
    connection: asyncssh.SSHClientConnection | None = None
    try:
        connection = await asyncssh.connect(
            login.host,
            sock=made,
            username=login.username,
            password=login.password or None,
            client_keys=keys,
            known_hosts=([], [], []),
            client_factory=lambda: known,
            config=[],
            agent_path=None,
            login_timeout=WITHIN_SECONDS,
            keepalive_interval=WITHIN_SECONDS / 2,
        )
    except asyncssh.HostKeyNotVerifiable:
        raise CancelError(_said_of_key(login.host, known.shown)) from None
    except asyncssh.PermissionDenied:
        raise ConnectionExpired("", f"{login.host} does not let {login.username} in.") from None
    except (OSError, asyncssh.Error) as error:
        raise TransientError(
            f"{login.host} does not speak SFTP with us: {str(error) or type(error).__name__}"
        ) from error
    finally:
        if connection is None:
            made.close()
    async with connection:
        with _errors(""):
            client = await connection.start_sftp_client()
        async with client:
            yield Sftp(client)


class Sftp:
    """Keeps `FileServer`."""

    def __init__(self, client: asyncssh.SFTPClient) -> None:
        self._client = client

    async def list(self, path: str) -> list[Entry]:
        found: list[Entry] = []
        with _errors(path):
            async for each in self._client.scandir(path):
                name = str(each.filename)
                if name not in (".", ".."):
                    found.append(_entry(name, each.attrs))
                if len(found) > MOST_ENTRIES:
                    raise CancelError(f"The directory {path} holds more than {MOST_ENTRIES} entries.")
        return sorted(found, key=lambda each: each.name)

    async def info(self, path: str) -> Entry:
        with _errors(path):
            return _entry(path.rstrip("/").rpartition("/")[2] or "/", await self._client.stat(path))

    async def download(self, path: str) -> AsyncIterator[bytes]:
        with _errors(path):
            async with self._client.open(path, "rb", encoding=None) as file:
                while piece := await file.read(PIECE_BYTES):
                    yield cast("bytes", piece)  # read as bytes, whatever its types say

    async def upload(self, path: str, content: AsyncIterable[bytes]) -> None:
        with _errors(path):
            async with self._client.open(path, "wb") as file:
                async for piece in content:
                    await file.write(piece)

    async def make_directory(self, path: str) -> None:
        with _errors(path):
            if not await self._client.isdir(path):
                await self._client.mkdir(path)

    async def remove_directory(self, path: str) -> None:
        with _errors(path):
            await self._client.rmdir(path)

    async def remove_file(self, path: str) -> None:
        with _errors(path):
            await self._client.remove(path)

    async def rename(self, path: str, new_path: str) -> None:
        with _errors(path):
            await self._client.rename(path, new_path)


def _entry(name: str, told: asyncssh.SFTPAttrs) -> Entry:
    mode = told.permissions
    return Entry(
        name,
        UNKNOWN if mode is None else _TYPES.get(stat.S_IFMT(mode), UNKNOWN),
        told.size or 0,
        None if told.mtime is None else datetime.fromtimestamp(told.mtime, UTC),
        None if mode is None else stat.S_IMODE(mode),
        told.nlink,
        None,
        told.owner or (None if told.uid is None else str(told.uid)),
        told.group or (None if told.gid is None else str(told.gid)),
    )


def _private_key(login: Login) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(login.private_key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise CancelError(f"The private key of the account cannot be read: {error}") from None


def _fingerprint_of(host_key: str) -> str:
    """What the account names: a fingerprint, or the key itself as a line of known hosts has it."""
    written = host_key.strip()
    if not written or written.startswith("SHA256:"):
        return written
    try:
        return asyncssh.import_public_key(written).get_fingerprint()
    except asyncssh.KeyImportError:
        raise CancelError("The host key is neither a fingerprint (SHA256:…) nor a key (ssh-ed25519 …).") from None


def _said_of_key(host: str, shown: str) -> str:
    return (
        f"{host} shows the host key {shown}, and the account names another one or none. If whoever runs the server"
        " confirms it, write it into the field hostKey."
    )


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Errors of the library and of the server as components know them."""
    try:
        yield
    except asyncssh.SFTPError as error:
        if path and isinstance(error, _NOT_THERE):
            raise NotThereError(path, str(error.code), error.reason) from None
        is_gone = isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection)
        kind = TransientError if is_gone else CancelError
        raise kind(f"The server answers: {error.reason[:500]}") from None
    except (OSError, asyncssh.Error) as error:
        raise TransientError(f"The server breaks off: {str(error) or type(error).__name__}") from error
