"""Writes an archive piece by piece: what was written can be taken away at once, so that nothing piles up."""

import asyncio
import hashlib
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Final

from headrace_gateway.archives.layout import Member

_THREAD_FROM: Final = 64 * 1024


class ArchiveWriter:
    """A zip on its way out. `taken` hands over the bytes that came about since it was last asked."""

    def __init__(self, now: datetime) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=6)  # type: ignore[call-overload] # it needs no more than write and flush
        self._now = now
        self._open: IO[bytes] | None = None
        self._name = ""
        self._size = 0
        self._sum = hashlib.sha256()
        self.members: list[Member] = []

    def begin(self, name: str, *, is_packed: bool = True) -> None:
        """Begin a member; the one before must have ended. What is packed already need not be packed again."""
        info = zipfile.ZipInfo(name, self._now.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        self._open = self._zip.open(info, "w", force_zip64=True)
        self._name, self._size, self._sum = name, 0, hashlib.sha256()

    async def write(self, data: bytes) -> None:
        """Add to the member that was begun. Large pieces are packed in a thread."""
        if len(data) < _THREAD_FROM:
            self._write(data)
        else:
            await asyncio.to_thread(self._write, data)

    def end(self) -> Member:
        """End the member; what it came to."""
        assert self._open is not None
        self._open.close()
        self._open = None
        member = Member(self._name, self._size, self._sum.hexdigest())
        self.members.append(member)
        return member

    def close(self) -> None:
        """Write the directory. Nothing can be added then."""
        self._zip.close()

    def taken(self, at_least: int = 0) -> bytes:
        """The bytes that are ready, if there are so many; else none yet."""
        return self._sink.taken() if self._sink.size >= at_least else b""

    def _write(self, data: bytes) -> None:
        assert self._open is not None
        self._open.write(data)
        self._sum.update(data)
        self._size += len(data)


class _Sink:
    """Where the zip writes to: it cannot go back, so whatever is written is final."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        parts, self._parts, self.size = self._parts, [], 0
        return _joined(parts)


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts)
