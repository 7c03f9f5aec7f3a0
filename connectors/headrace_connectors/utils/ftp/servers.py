"""Servers of files as components see them, whichever protocol they speak."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject
from headrace_sdk.context import Tcp
from headrace_sdk.reading import as_object, as_text

UNKNOWN, FILE, DIRECTORY, LINK = range(4)
"""What an entry is, as numbers: so it is in messages."""

MOST_ENTRIES: Final = 20_000
PIECE_BYTES: Final = 64 * 1024
WITHIN_SECONDS: Final = 60.0
"""For which a server may say nothing."""

_MAX_PATH = 4_096


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory, with what its server tells."""

    name: str
    type: int
    size: int = 0
    modified_at: datetime | None = None
    permissions: int | None = None
    hard_links: int | None = None
    link: str | None = None
    user: str | None = None
    group: str | None = None
    unique_id: str | None = None

    def as_json(self) -> JsonObject:
        """As it stands in messages; what the server does not tell is missing."""
        at = None if self.modified_at is None else self.modified_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        bits = self.permissions
        permissions: Json = None if bits is None else {"user": bits >> 6 & 7, "group": bits >> 3 & 7, "world": bits & 7}
        told: JsonObject = {
            "name": self.name,
            "size": self.size,
            "type": self.type,
            "modifiedAt": at,
            "permissions": permissions,
            "hardLinkCount": self.hard_links,
            "link": self.link,
            "group": self.group,
            "user": self.user,
            "uniqueID": self.unique_id,
        }
        return {name: value for name, value in told.items() if value is not None}


class NotThereError(Exception):
    """The server has nothing at the path, or does not show it."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = code

    def as_json(self) -> JsonObject:
        """As it leaves the port of what was not found."""
        return {"path": self.path, "errorCode": self.code, "errorMessage": str(self)}


class FileServer(Protocol):
    """A server that was signed in to. All methods raise NotThereError, and TransientError when it breaks off."""

    async def list(self, path: str) -> list[Entry]:
        """What the directory holds, by name."""
        ...

    async def info(self, path: str) -> Entry: ...

    def download(self, path: str) -> AsyncIterator[bytes]: ...

    async def upload(self, path: str, content: AsyncIterable[bytes]) -> None:
        """Write a file in place of what is there."""
        ...

    async def make_directory(self, path: str) -> None:
        """Make a directory; one that is there already stays."""
        ...

    async def remove_directory(self, path: str) -> None:
        """Remove a directory that is empty."""
        ...

    async def remove_file(self, path: str) -> None: ...

    async def rename(self, path: str, new_path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Login:
    """Where a server is and how it is signed in to; `protocol` is ftp, ftps, ftps-implicit or sftp."""

    protocol: str
    host: str
    port: int
    username: str
    password: str
    private_key: str = ""
    host_key: str = ""
    certificate: str = ""


PORTS: Final = {"ftp": 21, "ftps": 21, "ftps-implicit": 990, "sftp": 22}


def login_of(auth: JsonObject) -> Login:
    """What an account holds. Raises CancelError when it cannot be used."""
    protocol = as_text(auth.get("protocol")) or "ftps"
    if protocol not in PORTS:
        raise CancelError(f"The protocol {protocol[:50]!r} is none of {', '.join(PORTS)}.")
    written = as_text(auth.get("port")).strip() or str(PORTS[protocol])
    if not written.isdecimal() or not 0 < int(written[:6]) < 65536:
        raise CancelError(f"The port {written[:50]!r} is none: give a number up to 65535.")
    texts = [as_text(auth.get(name)) for name in ("username", "password", "privateKey", "hostKey", "certificate")]
    return Login(protocol, as_text(auth.get("host")).strip(), int(written), *texts)


@asynccontextmanager
async def signed_in(tcp: Tcp, login: Login) -> AsyncIterator[FileServer]:
    """The server, until the block ends.

    Raises ConnectionExpired when it does not let the account in, TransientError when it does not answer.
    """
    # Their libraries are loaded when somebody needs them: half a second.
    if login.protocol == "sftp":
        from headrace_connectors.utils.ftp.sftp import open_sftp

        async with open_sftp(tcp, login) as server:
            yield server
    else:
        from headrace_connectors.utils.ftp.plain import open_ftp

        async with open_ftp(tcp, login) as server:
            yield server


@asynccontextmanager
async def server_of(context: Context) -> AsyncIterator[FileServer]:
    """The server of the node's account."""
    async with signed_in(context.tcp, login_of(context.auth)) as server:
        yield server


async def remove(context: Context, act: Callable[[FileServer, str], Awaitable[None]]) -> None:
    """Remove what the node was given, and send its path; to `notFound` where there is nothing."""
    path = path_in(context)
    try:
        async with server_of(context) as server:
            await act(server, path)
    except NotThereError as error:
        await context.send_json(error.as_json(), "notFound")
        return
    await context.send_json({"path": path})


async def was_removed(context: Context) -> bool:
    """Whether a removal took place that nobody saw end: it did where nothing is there any more. Sends its path then."""
    path = path_in(context)
    try:
        async with server_of(context) as server:
            await server.info(path)
    except NotThereError:
        await context.send_json({"path": path})
        return True
    return False


def path_in(context: Context, name: str = "path") -> str:
    """The path that the node was given. Raises CancelError when it is none."""
    path = as_text(as_object(context.content).get(name))
    if not path:
        raise CancelError(f"The field {name} is empty: give a path.")
    return checked_path(path)


def checked_path(path: str) -> str:
    """The path. A line break in it would begin another command of FTP, so it is refused with CancelError."""
    if len(path) > _MAX_PATH or any(ord(each) < 32 or ord(each) == 127 for each in path):
        raise CancelError(f"A path has at most {_MAX_PATH} characters, and no line breaks or other control characters.")
    return path
