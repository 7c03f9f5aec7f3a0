"""Zip and tar archives in memory: what is in them, and packing them anew."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace_sdk import CancelError

from headrace_connectors.utils.converters import documents

MAX_ENTRIES = 10_000
MAX_CONTENT_BYTES = 64 * 1024 * 1024
CONTENT_TYPES = {"zip": "application/zip", "tar": "application/x-tar"}
# One moment for all entries, so that a repeated step packs the same bytes.
PACKED_AT = (1980, 1, 1, 0, 0, 0)

_UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
)


@dataclass(slots=True)
class Entries:
    """Files by names that stay inside the folder they are unpacked to, all different, and within the limits."""

    files: dict[str, bytes] = field(default_factory=dict)
    size_bytes: int = 0
    _repeats: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Add a file; one whose name is taken gets a number. Raises `CancelError` beyond the limits."""
        self.size_bytes += len(content)
        check(len(self.files) + 1, self.size_bytes)
        self.files[self._free(documents.safe_path(name))] = content

    def _free(self, name: str) -> str:
        free = name
        while free in self.files:
            count = self._repeats[name] = self._repeats.get(name, 0) + 1
            stem, dot, ending = name.rpartition(".")
            free = f"{stem} ({count}).{ending}" if dot and stem else f"{name} ({count})"
        return free


def unpack(content: bytes, form: str) -> dict[str, bytes]:
    """The files of an archive by name, within the limits. Raises `CancelError` for what cannot be read."""
    try:
        return _unzip(content) if form == "zip" else _untar(content)
    except _UNREADABLE as error:
        raise CancelError(f"The existing archive is no {form} archive that can be read: {error}.") from error


def pack(entries: Mapping[str, bytes], form: str) -> bytes:
    """An archive of these files."""
    check(len(entries), sum(map(len, entries.values())))
    return _zip(entries) if form == "zip" else _tar(entries)


def check(count: int, size_bytes: int) -> None:
    """Raises `CancelError` when there are too many files, or too large ones."""
    if count > MAX_ENTRIES:
        raise CancelError(f"The archive has {count} files; at most {MAX_ENTRIES} are packed.")
    if size_bytes > MAX_CONTENT_BYTES:
        raise CancelError(f"The files have more than {MAX_CONTENT_BYTES} bytes together.")


def _unzip(content: bytes) -> dict[str, bytes]:
    entries = Entries()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        check(len(files), sum(info.file_size for info in files))
        for info in files:
            # The sizes in the directory may lie: no more is read than fits.
            with archive.open(info) as file:
                entries.add(info.filename, file.read(MAX_CONTENT_BYTES - entries.size_bytes + 1))
    return entries.files


def _untar(content: bytes) -> dict[str, bytes]:
    entries = Entries()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for count, member in enumerate(archive, start=1):
            check(count, entries.size_bytes + member.size)
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                entries.add(member.name, file.read())
    return entries.files


def _zip(entries: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, PACKED_AT)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return packed.getvalue()


def _tar(entries: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()
