"""Reads an archive that somebody sent: believed only after every byte of it was added up.

Nothing is unpacked to a path: members are known by exact names and read as streams, so no name leads anywhere. What
they come to is bounded before the first is read and while each is read, whatever the archive says of itself.
"""

import asyncio
import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Final

from headrace_core import Json, errors

from headrace_gateway.archives import layout
from headrace_gateway.archives.layout import Manifest, Member, refused
from headrace_gateway.bodies import deeper_than

PIECE_BYTES: Final = 512 * 1024
_LINES_AT_ONCE: Final = 256
_END = struct.Struct("<4s4H2LH")
_MAX_DIRECTORY_BYTES: Final = 8 * 1024 * 1024
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


class Archive:
    """An archive in a file, which stays the caller's to close."""

    def __init__(self, zip_file: zipfile.ZipFile, manifest: Manifest, manifest_bytes: bytes) -> None:
        self._zip = zip_file
        self.manifest = manifest
        self.manifest_bytes = manifest_bytes

    async def lines(self, kind: str) -> AsyncIterator[tuple[str, dict[str, Json]]]:
        """The lines of a kind in their order: what each is, and its fields. Nothing where there are none."""
        lines = self._lines(kind)
        while batch := await asyncio.to_thread(_some, lines):
            for line in batch:
                yield line

    async def content(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file, piece by piece."""
        with _readable(name), self._zip.open(name) as member:
            while piece := await asyncio.to_thread(member.read, PIECE_BYTES):
                yield piece

    def secrets(self) -> bytes:
        """What is sealed. Empty where there is nothing."""
        if layout.SECRETS not in self._zip.namelist():
            return b""
        return _whole(self._zip, layout.SECRETS, layout.MAX_SECRETS_BYTES)

    def _lines(self, kind: str) -> Iterator[tuple[str, dict[str, Json]]]:
        name = layout.lines_of(kind)
        if name not in self._zip.namelist():
            return
        with _readable(name), self._zip.open(name) as member:
            yield from _parsed(kind, member)


async def open_archive(file: IO[bytes], most_bytes: int) -> Archive:
    """The archive in the file, every part of it checked, its members coming to `most_bytes` at most.

    Raises BadRequest when it is none of ours, was changed or was cut off, and TooLarge.
    """
    return await asyncio.to_thread(_open, file, most_bytes)


def _open(file: IO[bytes], most_bytes: int) -> Archive:
    _check_directory(file)
    with _readable("the directory"):
        zip_file = zipfile.ZipFile(file)
    _check_names(zip_file.infolist(), most_bytes)
    manifest_bytes = _whole(zip_file, layout.MANIFEST, layout.MAX_MANIFEST_BYTES)
    manifest = layout.parse_manifest(manifest_bytes)
    found = {info.filename for info in zip_file.infolist()} - {layout.MANIFEST, layout.SECRETS}
    told = [member.name for member in manifest.members]
    if len(told) != len(set(told)) or found != set(told):
        raise refused("it does not hold what its manifest says")
    if (layout.SECRETS in zip_file.namelist()) is not (manifest.secrets is not None):
        raise refused("its secrets are missing, or its manifest does not know of them")
    for member in manifest.members:
        _check_sum(zip_file, member)
    archive = Archive(zip_file, manifest, manifest_bytes)
    for kind in layout.KINDS:
        _check_lines(kind, archive, {*told})
    return archive


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a directory that takes much memory, before it is read: it stands at the very end, and is no larger."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size:
        raise refused("it is too short")
    mark, disk, first_disk, here, entries, directory_bytes, offset, comment = _END.unpack(tail)
    if mark != b"PK\x05\x06" or comment:
        raise refused("it has no end, as if it had been cut off")
    if disk or first_disk or here != entries or 0xFFFF in (here, entries) or 0xFFFFFFFF in (directory_bytes, offset):
        raise refused("it is in parts, or too large")
    if entries > layout.MAX_MEMBERS or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise errors.TooLarge(f"An archive has at most {layout.MAX_MEMBERS} members.")
    if offset + directory_bytes + _END.size != size:
        raise refused("something stands before or behind it")


def _check_names(members: Sequence[zipfile.ZipInfo], most_bytes: int) -> None:
    names = [info.filename for info in members]
    if len(names) != len(set(names)):
        raise refused("it has two members of one name")
    for info in members:
        if not layout.is_member(info.filename) or info.orig_filename != info.filename:
            raise refused(f"it has a member {info.filename[:100]!r}, which no export has")
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused(f"{info.filename} is packed in a way that no export is")
    if sum(info.file_size for info in members) > most_bytes:
        raise errors.TooLarge(f"What is in an archive may come to {most_bytes} bytes. Export it in parts.")
    if layout.MANIFEST not in names:
        raise refused("it has no manifest, as if it had been cut off")


def _check_sum(zip_file: zipfile.ZipFile, member: Member) -> None:
    digest, size = hashlib.sha256(), 0
    with _readable(member.name), zip_file.open(member.name) as content:
        while piece := content.read(PIECE_BYTES):
            size += len(piece)
            if size > member.size_bytes:
                break
            digest.update(piece)
    if (size, digest.hexdigest()) != (member.size_bytes, member.sha256):
        raise refused(f"{member.name} is not what its manifest says")


def _check_lines(kind: str, archive: Archive, names: set[str]) -> None:
    """Every line is of its kind and complete, what belongs to another comes behind one, and contents are there."""
    first, *belonging = layout.LINES[kind]
    begun = kind == layout.INSTALLATION
    ids: set[str] = set()
    for what, fields in archive._lines(kind):
        if what in belonging and not begun:
            raise refused(f"{layout.lines_of(kind)} has a {what} that belongs to nothing")
        begun = begun or what == first
        item_id = str(fields.get(layout.ID_FIELDS.get(what, ""), ""))
        if item_id in ids:
            raise refused(f"it has the {what} {item_id[:100]} twice")
        ids |= {item_id} - {""}
        if what == "file" and not (layout.is_content(str(fields["member"])) and fields["member"] in names):
            raise refused(f"the content of file {str(fields['fileId'])[:100]} is missing")


def _parsed(kind: str, member: IO[bytes]) -> Iterator[tuple[str, dict[str, Json]]]:
    name = layout.lines_of(kind)
    while line := member.readline(layout.MAX_LINE_BYTES + 1):
        if len(line) > layout.MAX_LINE_BYTES:
            raise errors.TooLarge(f"{name} has a line of more than {layout.MAX_LINE_BYTES} bytes.")
        yield _line(kind, name, line)


def _line(kind: str, name: str, line: bytes) -> tuple[str, dict[str, Json]]:
    # Not orjson: numbers of any length come back as they were.
    try:
        value = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise refused(f"{name} has a line that is no JSON") from None
    # Counting brackets is cheap; only a line that could be too deep is walked.
    if line.count(b"[") + line.count(b"{") > layout.MAX_DEPTH and deeper_than(value, layout.MAX_DEPTH):
        raise refused(f"{name} has a line that nests deeper than {layout.MAX_DEPTH} levels")
    if isinstance(value, dict) and len(value) == 1:
        ((what, fields),) = value.items()
        if what in layout.LINES[kind] and isinstance(fields, dict) and _is_complete(layout.FIELDS[what], fields):
            return what, fields
    raise refused(f"{name} has a line that no export writes")


def _is_complete(needed: Mapping[str, type | tuple[type, ...]], fields: Mapping[str, Json]) -> bool:
    return all(isinstance(fields.get(name), kind) for name, kind in needed.items())


def _no_number(text: str) -> Json:
    raise ValueError(text)


def _some(lines: Iterator[tuple[str, dict[str, Json]]]) -> list[tuple[str, dict[str, Json]]]:
    """The next lines, up to a bound in number. A thread's work; few are large."""
    batch: list[tuple[str, dict[str, Json]]] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= _LINES_AT_ONCE or line[0] in ("flow", "version"):
            break
    return batch


def _whole(zip_file: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    with _readable(name), zip_file.open(name) as member:
        data = member.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise errors.TooLarge(f"{name} has more than {most_bytes} bytes.")
    return data


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Raises BadRequest for whatever a damaged or contrived zip makes a reader stumble over."""
    try:
        yield
    except errors.HeadraceError:
        raise
    except _BROKEN:
        raise refused(f"{what} is damaged") from None
